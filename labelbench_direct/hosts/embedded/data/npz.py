"""Arrays of an .npz file: mapped where they lie uncompressed, read where not, and never unpickled."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_CHUNK = 2**20  # bytes
_LOCAL_HEADER = 30  # bytes before the member's name


def read_npz(path: Path, known: Collection[str]) -> tuple[dict[str, NDArray[Any]], str]:
    """The arrays of a file, by name, and a digest of their contents.

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
            arrays = {name: _read(path, archive, member) for name, member in zip(names, members, strict=True)}
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{path} is damaged, or no .npz file as np.savez writes it ({error})") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    contents = sorted((name, str(arrays[name].dtype), arrays[name].shape, member.CRC, member.file_size)
                      for name, member in zip(names, members, strict=True))  # fmt: skip
    return arrays, hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:16]


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
            return np.memmap(path, dtype, mode="c", offset=offset, shape=shape, order=order)
        array = np.frombuffer(bytearray(file.read()), dtype=dtype)
        return array.reshape(shape, order="F" if fortran else "C")


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
