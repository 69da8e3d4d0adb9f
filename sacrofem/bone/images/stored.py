"""The numbers of an image as they lie in a file: read to the last declared byte, and no further."""

from __future__ import annotations

import bz2
import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray

from sacrofem.bone.images.image import DAMAGED, foreign
from sacrofem.errors import InputError
from sacrofem.system.arrays import FloatArray
from sacrofem.system.memory import GIB, available_bytes
from sacrofem.system.untrusted import ZLIB_RATIO

Encoding = Literal["raw", "gzip", "zlib", "bzip2", "text"]
_PIECE = 1 << 22
# Bytes that are packed into one at most; bzip2 packs some 45 MB into 40 bytes.
_MOST_PACKED = {"raw": 1, "text": 1, "gzip": ZLIB_RATIO, "zlib": ZLIB_RATIO, "bzip2": 1_200_000}
# The longest number in text, with what separates it.
_LONGEST_NUMBER = 32


@dataclass(frozen=True)
class Stored:
    """Where numbers lie, and how.

    Attributes
    ----------
    header : Path
        Named in refusals.
    path : Path
        The file with the numbers; the header itself, or the one beside it.
    offset : int
        Bytes before them; negative: they are the last of the file.
    shape : tuple of int
        The first axis runs fastest.
    dtype : numpy.dtype
        With its byte order.
    encoding
    inside : bool
        Whether the offset counts bytes of the unpacked content.
    """

    header: Path
    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    encoding: Encoding = "raw"
    inside: bool = False

    def read(self) -> NDArray[np.generic]:
        """The numbers, in the byte order of this machine.

        Raises
        ------
        InputError
            Fewer than declared, or more than memory holds.
        """
        size, count = self.path.stat().st_size, math.prod(self.shape)
        wanted = count * self.dtype.itemsize
        free = available_bytes()
        if free is not None and wanted > free:
            mend = "crop or coarsen the image"
            raise InputError(f"declares {wanted / GIB:.3g} GiB, more than is free", file=self.header, mend=mend)
        least = 2 * count - 1 if self.encoding == "text" else -(-wanted // _MOST_PACKED[self.encoding])
        offset = size - wanted if self.offset < 0 else self.offset
        if size < least + (0 if self.inside else max(offset, 0)) or offset < 0:
            raise self._short(count)
        with foreign(self.header):
            if self.encoding == "text":
                return self._numbers(offset, count)
            with self._opened(offset) as content:
                pieces, left = [], wanted
                while left and (piece := content.read(min(left, _PIECE))):
                    pieces.append(piece)
                    left -= len(piece)
            if left:
                raise self._short(count)
            values = np.frombuffer(b"".join(pieces), self.dtype).reshape(self.shape, order="F")
            return values.astype(self.dtype.newbyteorder("="), copy=False)

    def _short(self, count: int) -> InputError:
        return InputError(
            f"not a readable image (it is cut short: {count} numbers of {self.dtype.itemsize} bytes are declared)",
            file=self.path, mend="export it again",
        )  # fmt: skip

    def _numbers(self, offset: int, count: int) -> NDArray[np.generic]:
        with self.path.open("rb") as handle:
            handle.seek(offset)
            words = handle.read(_LONGEST_NUMBER * count + 1).split()
        if len(words) < count:
            raise self._short(count)
        whole = self.dtype.kind in "iu"
        numbers = [int(word) if whole else float(word) for word in words[:count]]
        return np.array(numbers, self.dtype.newbyteorder("=")).reshape(self.shape, order="F")

    @contextmanager
    def _opened(self, offset: int) -> Iterator[IO[bytes]]:
        """The unpacked content from the first number on."""
        with self.path.open("rb") as handle:
            handle.seek(0 if self.inside else offset)
            if self.encoding == "gzip":
                content: IO[bytes] = gzip.GzipFile(fileobj=handle)  # type: ignore[assignment]
            elif self.encoding == "bzip2":
                content = bz2.BZ2File(handle)
            elif self.encoding == "zlib":
                content = _Inflated(handle)  # type: ignore[assignment]
            else:
                content = handle
            if self.inside:
                skip(content, offset)
            yield content


class _Inflated:
    """A stream of zlib that never unpacks more than is asked for."""

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle, self._packed = handle, zlib.decompressobj()

    def read(self, count: int) -> bytes:
        while not self._packed.eof:
            tail = self._packed.unconsumed_tail or self._handle.read(1 << 16)
            if not tail:
                break
            if found := self._packed.decompress(tail, count):
                return found
        return b""


def skip(content: IO[bytes], count: int) -> None:
    """Read over so many bytes, in pieces."""
    while count and (piece := content.read(min(count, _PIECE))):
        count -= len(piece)


def is_packed(path: Path) -> bool:
    """Whether a file is gzip, whatever its name says."""
    with path.open("rb") as content:
        return content.read(2) == b"\x1f\x8b"


def beginning(path: Path, count: int, *, packed: bool = False) -> bytes:
    """The first bytes of a file, unpacked on request; fewer where it ends sooner."""
    with foreign(path):
        try:
            with gzip.open(path) if packed else path.open("rb") as content:
                return content.read(count)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError("not a readable image (it is cut short or no gzip)", file=path, mend=DAMAGED) from error


def scaled(header: Path, values: NDArray[np.generic], slope: float, intercept: float) -> NDArray[np.generic]:
    """Stored numbers times slope plus intercept, whole ones left whole where slope and intercept are.

    Raises
    ------
    InputError
        A slope of 0, or numbers that are none.
    """
    if slope == 1.0 and intercept == 0.0:
        return values
    if not (
        math.isfinite(slope) and math.isfinite(intercept) and slope != 0.0 and max(abs(slope), abs(intercept)) < 1e9
    ):
        raise InputError(
            "slope and intercept make no numbers of what is stored", file=header, value=f"{slope:g} {intercept:g}",
            mend="export it again",
        )  # fmt: skip
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2 and slope == 1.0 and intercept == int(intercept):
        return values.astype(np.int32) + np.int32(int(intercept)) if abs(intercept) < 1 << 30 else values
    result: FloatArray = values.astype(np.float64 if values.dtype.itemsize > 4 else np.float32)
    result *= slope
    result += intercept
    return result
