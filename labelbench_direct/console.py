"""The terminal as a place that can refuse text without ending what is being done."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

_SPELLED = str.maketrans({"±": "+-", "…": "..."})


class PatientStream:
    """A stream that takes all text: what its encoding lacks is spelled out, and where nobody reads (a closed pipe) or
    nothing can be written (a full disk) it goes nowhere.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, whatever happens."""
        with self._patience():
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                encoding = self._stream.encoding
                self._stream.write(text.translate(_SPELLED).encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        """Flush, whatever happens."""
        with self._patience():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _patience(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError):  # ValueError: it is closed
            with contextlib.suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())  # for what is buffered, and what is still to come


@contextlib.contextmanager
def patient_output() -> Iterator[None]:
    """Make standard output and standard error patient; what was not printed does not change an exit status."""
    with contextlib.ExitStack() as stack:
        nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        for redirect, stream in ((contextlib.redirect_stdout, sys.stdout), (contextlib.redirect_stderr, sys.stderr)):
            patient = PatientStream(stream or nowhere)  # None where the process was started without one
            stack.enter_context(redirect(patient))
            stack.callback(patient.flush)
        yield
