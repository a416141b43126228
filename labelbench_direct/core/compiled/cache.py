"""What numba compiles, kept on disk: whole or not at all, and made again where a crash has damaged it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile

_CHECKSUM = hashlib.sha256


def compile_and_keep(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit(cache=True, **options)``, but that neither a damaged cache nor one that cannot be written stops a
    call: both are said, and the function is compiled.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        compiled = njit(**options)(function)
        if hasattr(compiled, "enable_caching"):  # with NUMBA_DISABLE_JIT it is the function itself
            compiled._cache = _Cache(function)
        return compiled

    return decorate


class _Cache(FunctionCache):
    """numba's cache of one function, in files of its own: numba's have no checksums."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        base = f"{self._impl.filename_base}.checked"
        self._cache_file = _CheckedFiles(self._cache_path, base, self._impl.locator.get_source_stamp())

    def save_overload(self, signature: Any, data: Any) -> None:
        try:
            super().save_overload(signature, data)
        except OSError as error:
            warnings.warn(f"compiled code cannot be kept for the next time: {error}", stacklevel=2)


class _CheckedFiles(IndexDataCacheFile):
    """numba's index and data files with a checksum at their end, where unpickling does not look."""

    def _load_index(self) -> Any:
        return super()._load_index() if _is_whole(Path(self._index_path)) else {}

    def _load_data(self, name: str) -> Any:
        path = Path(self._data_path(name))
        if not _is_whole(path):
            raise FileNotFoundError(path)  # which numba takes for code that was not kept
        return super()._load_data(name)

    @contextlib.contextmanager
    def _open_for_write(self, path: str) -> Iterator[Any]:
        content = io.BytesIO()
        yield content
        with super()._open_for_write(path) as file:  # under another name, until it is closed
            file.write(content.getvalue() + _CHECKSUM(content.getvalue()).digest())
            file.flush()
            os.fsync(file.fileno())


def _is_whole(path: Path) -> bool:
    """Whether a file is there and ends with its checksum; a damaged one is told of and removed."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    except OSError as error:
        warnings.warn(f"compiled code cannot be read, so it is compiled again: {error}", stacklevel=2)
        return False
    size = _CHECKSUM().digest_size
    if len(content) > size and _CHECKSUM(content[:-size]).digest() == content[-size:]:
        return True
    warnings.warn(f"{path} is damaged: what was compiled is compiled again", stacklevel=2)
    with contextlib.suppress(OSError):  # else it is written over, or told of again
        path.unlink()
    return False
