"""Processes that end with the one that started them, however it ends: killed hard, it cannot end them itself."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import threading
import time
from typing import Any

_LOOK = 1.0  # seconds between two looks at who the parent is


def end_with_parent(parent: int, *signs: Any) -> None:
    """End this process, whatever it is doing, once ``parent`` is no longer its parent or one of ``signs``, connections,
    is readable.

    On Windows, where a process keeps its dead parent's id, multiprocessing's own watch of the parent tells.
    """
    started_by = multiprocessing.parent_process()
    watched = [*signs, *([started_by.sentinel] if started_by else [])]

    def watch() -> None:
        while os.getppid() == parent:
            if not watched:
                time.sleep(_LOOK)
            elif multiprocessing.connection.wait(watched, _LOOK):
                break
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
