"""Image files as RGB arrays, and whatever is wrong with them in words: no file of anybody's may stop the others."""

from __future__ import annotations

import hashlib
import io
import re
import stat
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}  # 8 bits a channel: RGB holds all they have

_TURNS = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
    6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90",
}  # fmt: skip
"""What brings an image upright, by EXIF's number for how it lies."""


class Picture(NamedTuple):
    """An image (H, W, 3) uint8, the digest of its file, and whether that holds further ones."""

    pixels: NDArray[Any]
    digest: bytes
    is_animated: bool


class UnusableError(ValueError):
    """A file that is no image to learn from; says why."""


def read_picture(path: Path, size: int | None) -> Picture:
    """An image file, turned as its EXIF entry says, in RGB; of an animated one the first frame.

    ``size``: scale the shorter side to so many pixels and cut out the middle square. Raises UnusableError for whatever
    is no regular file, cannot be read, or does not fit 8 bits a channel.
    """
    content = _content(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of odd entries in files that it reads all the same
            pixels, is_animated = _decode(content, size)
    except UnusableError:
        raise
    except Exception as error:  # Pillow raises whatever it meets in a damaged file
        raise UnusableError(_words(error)) from error
    return Picture(pixels, hashlib.blake2b(content, digest_size=16).digest(), is_animated)


def _content(path: Path) -> bytes:
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind):  # a pipe would be waited for
            raise UnusableError("it is a folder" if stat.S_ISDIR(kind) else "it is no regular file")
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise UnusableError("there is no such file") from error
    except OSError as error:
        raise UnusableError(f"it cannot be read: {error.strerror}") from error
    if not content:
        raise UnusableError("it is empty")
    return content


def _decode(content: bytes, size: int | None) -> tuple[NDArray[Any], bool]:
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(content)) as image:
        if image.mode not in _MODES:
            raise UnusableError(f"its mode {image.mode} does not fit 8 bits a channel")
        if (bits := _bits(image, content)) > 8:
            raise UnusableError(f"its {bits} bits a channel do not fit 8: convert it, as you want them kept")
        # MPO is what many cameras write as JPEG: the photo, and then others of it.
        is_animated = getattr(image, "is_animated", False) and image.format != "MPO"
        image.load()  # which turns a TIFF
        turn = _TURNS.get(_orientation(image))
        opaque = image.convert("RGBA") if "transparency" in image.info else image  # else Pillow warns of palettes
        rgb = opaque.convert("RGB")
    if turn is not None:
        rgb = rgb.transpose(Image.Transpose[turn])
    if size is not None:
        rgb = ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(rgb), is_animated


def _bits(image: Any, content: bytes) -> int:
    """How many bits a channel has in the file: of colors Pillow takes the first 8 without a word."""
    if image.format == "PNG":
        return content[24]
    if image.format == "TIFF":
        return int(max(image.tag_v2.get(258, (1,))))  # BitsPerSample
    if image.format == "SGI":
        return 8 * content[3]
    if image.format == "JPEG2000":
        size = content.index(b"\xff\x4f\xff\x51")  # the marker that tells the size comes first
        return (content[size + 42] & 0x7F) + 1
    if image.format == "PPM" and isinstance(stated := image.tile[0][3], tuple):
        return int(stated[-1]).bit_length()  # the highest value
    return 8


def _orientation(image: Any) -> Any:
    from PIL.ExifTags import Base

    try:
        return image.getexif().get(Base.Orientation)
    except Exception:  # entries that are damaged say nothing, and the image is there
        return None


def _words(error: Exception) -> str:
    """What Pillow says, without what differs from run to run."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "it is no image that Pillow knows"
    return f"it cannot be read: {re.sub(' at 0x[0-9a-f]+', '', str(error)) or type(error).__name__}"
