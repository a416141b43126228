"""Arrays of an .npz file: mapped where they lie uncompressed, read where not, never unpickled; and written whole."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_CHUNK = 2**20  # bytes
_LOCAL_HEADER = 30  # bytes before the member's name


def read_npz(path: Path, known: Collection[str]) -> tuple[dict[str, NDArray[Any]], str]:
    """The arrays of a file, by name, in this machine's byte order, and a digest of their contents.

    Every byte is read once, against the file's own checksums. ``known``: the names that it may have.

    Raises FileNotFoundError, and ValueError for what is no .npz file, is damaged, holds pickled objects (nothing is
    ever unpickled) or arrays of other names.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = [member.filename.removesuffix(".npy") for member in members]
            if unknown := [name for name in names if name not in known]:
                raise ValueError(f"unknown array {unknown[0]!r}; known are {', '.join(known)}")
            if twice := [name for name in names if names.count(name) > 1]:
                raise ValueError(f"the array {twice[0]!r} is there twice: save the file anew")
            arrays = {name: _read(path, archive, member) for name, member in zip(names, members, strict=True)}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    except Exception as error:  # whatever zipfile, its decompressors and numpy meet in a damaged file
        if isinstance(error, MemoryError) or getattr(error, "errno", None):  # the machine's
            raise
        raise ValueError(f"{path} is damaged, or no .npz file as np.savez writes it ({error})") from error
    contents = sorted((name, str(arrays[name].dtype), arrays[name].shape, member.CRC, member.file_size)
                      for name, member in zip(names, members, strict=True))  # fmt: skip
    return arrays, hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:16]


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]], *, packed: bool = False) -> None:
    """Write a file that has its name only when it is whole and on disk. Raises OSError naming it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            save: Any = np.savez_compressed if packed else np.savez
            save(file, **arrays)
            file.flush()
            os.fsync(file.fileno())  # else a crash may leave the name with nothing under it
        unfinished.replace(path)
    except OSError as error:
        raise OSError(error.errno, f"could not write ({error.strerror}): make room there", str(path)) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _read(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as file:
        shape, fortran, dtype = _header(file)
        if dtype.hasobject:
            raise ValueError(
                f"array {member.filename.removesuffix('.npy')!r} holds pickled Python objects, which are never "
                "unpickled: save plain arrays of numbers or strings (np.asarray(list_of_names), with one dtype)"
            )
        header_size = file.tell()
        if member.compress_type == zipfile.ZIP_STORED and np.prod(shape):
            while file.read(_CHUNK):  # to the end, where the checksum is compared
                pass
            offset = _start(path, member) + header_size
            order: Any = "F" if fortran else "C"
            array: NDArray[Any] = np.memmap(path, dtype, mode="c", offset=offset, shape=shape, order=order)
        else:
            array = np.frombuffer(bytearray(file.read()), dtype=dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def _start(path: Path, member: zipfile.ZipInfo) -> int:
    """Where a member's bytes begin."""
    with path.open("rb") as file:
        file.seek(member.header_offset)
        header = file.read(_LOCAL_HEADER)
    return member.header_offset + _LOCAL_HEADER + sum(int.from_bytes(header[i : i + 2], "little") for i in (26, 28))
