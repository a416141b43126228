"""Processes that end with the one that started them, however it ends: killed hard, it cannot end them itself."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import threading
import time

_LOOK = 1.0  # seconds between two looks at who the parent is


def end_with_parent(parent: int) -> None:
    """End this process, whatever it is doing, soon after ``parent``, which has started it.

    On Windows, where a process keeps its dead parent's id, multiprocessing's own watch of the parent tells; elsewhere
    that can be kept open by what the parent had forked.
    """
    started_by = multiprocessing.parent_process()

    def watch() -> None:
        while os.getppid() == parent:
            if started_by is None:
                time.sleep(_LOOK)
            elif multiprocessing.connection.wait([started_by.sentinel], _LOOK):
                break
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
