"""Surface files: looked at before a reader opens them, and their triangles as they stand there."""

from __future__ import annotations

import base64
import codecs
import re
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from sacrofem.errors import EnvironmentFailure, InputError, cut
from sacrofem.system.arrays import FloatArray, IntArray
from sacrofem.system.untrusted import ZLIB_RATIO, check_document_type

SURFACE_SUFFIXES = (".stl", ".ply", ".obj", ".off", ".vtp")

_MOST_TRIANGLES = 20_000_000
_STL_HEADER = 84
_STL_TRIANGLE = np.dtype([("normal", "<3f4"), ("corners", "<9f4"), ("attribute", "<u2")])
_AGAIN = "export the surface again"
# Of one array of the largest surface.
_MOST_BYTES = 24 * _MOST_TRIANGLES
# Two numbers beside one another that each have a comma where a point belongs.
_COMMAS = re.compile(rb"(?<![\w,.])-?\d+,\d+(?:[eE][-+]?\d+)?[ \t]+-?\d+,\d+")


def read_triangles(path: Path) -> tuple[FloatArray, IntArray]:
    """Points (n, 3) and triangles (f, 3) of a file, in its own units, nothing merged.

    Parameters
    ----------
    path
        An existing STL, PLY, OBJ, OFF or (with pyvista) VTP.

    Raises
    ------
    InputError
        Empty, cut short (named are declared and found triangles), decimal commas, an XML document type, more triangles
        than can be handled, or not readable for another reason.
    EnvironmentFailure
        It cannot be read, or is VTP without pyvista.
    """
    kind = path.suffix.lower()
    try:
        content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise EnvironmentFailure(f"{path}: cannot be read ({error.strerror})") from error
    if not content.strip():
        raise InputError("is empty", file=path, mend=_AGAIN)
    if kind == ".vtp":
        points, faces = _vtp(path, content)
    elif kind == ".stl" and _is_binary_stl(content):
        points, faces = _binary_stl(path, content)
    else:
        points, faces = _text(path, content, kind)
    if len(faces) > _MOST_TRIANGLES:
        raise InputError(f"has {len(faces)} triangles", file=path, mend="decimate it to a million or fewer")
    if faces.size and not (faces.min() >= 0 and faces.max() < len(points)):
        raise InputError("its triangles name points that are not there", file=path, mend=_AGAIN)
    return points, faces


def _is_binary_stl(content: bytes) -> bool:
    """Whether an STL is binary: many programs begin the header of binary ones with "solid" too."""
    if len(content) < _STL_HEADER:
        return False
    declared = int.from_bytes(content[80:84], "little")
    if len(content) == _STL_HEADER + declared * _STL_TRIANGLE.itemsize or not content.lstrip().startswith(b"solid"):
        return True
    return b"\0" in content[:_STL_HEADER] or b"facet" not in content[:4096].lower()


def _binary_stl(path: Path, content: bytes) -> tuple[FloatArray, IntArray]:
    declared = int.from_bytes(content[80:84], "little")
    found, rest = divmod(len(content) - _STL_HEADER, _STL_TRIANGLE.itemsize)
    # Less than a triangle behind the last one is of no account.
    if found != declared:
        problem = "is cut short" if found < declared else "holds more than it says"
        rest_too = " and a part of one" if rest else ""
        raise InputError(
            f"{problem}: it declares {declared} triangles and holds {found}{rest_too}", file=path, mend=_AGAIN
        )
    table = np.frombuffer(content, _STL_TRIANGLE, declared, _STL_HEADER)
    return table["corners"].reshape(-1, 3).astype(float), np.arange(3 * declared, dtype=np.int64).reshape(-1, 3)


def _text(path: Path, content: bytes, kind: str) -> tuple[FloatArray, IntArray]:
    """OBJ, OFF, ASCII STL and both kinds of PLY."""
    head, body = _ply_parts(content) if kind == ".ply" else (b"", content)
    binary = bool(re.search(rb"(?m)^format\s+binary", head))
    if not binary and (found := _COMMAS.search(body)):
        raise InputError(
            f"holds decimal commas ({cut(found[0].decode(), 40)!r})", file=path, mend="export it with decimal points"
        )
    declared = _declared(head, body, kind)
    # Names in a header come in any encoding, and a reader that guesses it needs a package of its own.
    plain = head.decode("ascii", "replace").replace("\ufffd", "?").encode()
    plain += body if binary else body.decode("utf-8", "replace").replace("\ufffd", "?").encode()
    trimesh: Any = import_module("trimesh")
    try:
        # No materials and no resolver: nothing but these bytes is read.
        mesh = trimesh.load(BytesIO(plain), file_type=kind[1:], force="mesh", process=False, skip_materials=True)
        points, faces = np.asarray(mesh.vertices, dtype=float), np.asarray(mesh.faces, dtype=np.int64)
    except Exception as error:
        # What a damaged file makes of a reader is anything.
        also = "" if declared is None else f"; it declares {declared} triangles or polygons"
        raise InputError(f"not a readable surface ({cut(error)}{also})", file=path, mend=_AGAIN) from error
    if declared is not None and len(faces) < declared:
        raise InputError(
            f"is cut short: it declares {declared} triangles and holds {len(faces)}", file=path, mend=_AGAIN
        )
    return points.reshape(-1, 3), faces.reshape(-1, 3)


def _ply_parts(content: bytes) -> tuple[bytes, bytes]:
    end = re.search(rb"(?m)^end_header[ \t]*\r?\n", content)
    return (content[: end.end()], content[end.end() :]) if end else (content, b"")


def _declared(head: bytes, body: bytes, kind: str) -> int | None:
    """How many faces a file says that it has; of an ASCII STL how many it begins."""
    if kind == ".ply":
        found = re.search(rb"(?m)^element\s+face\s+(\d{1,18})\b", head)
    elif kind == ".off":
        found = re.match(rb"\s*(?:OFF)?(?:\s*#[^\n]*\n|\s)*\d+\s+(\d{1,18})\b", body)
    else:
        return len(re.findall(rb"(?mi)^\s*facet\b", body)) if kind == ".stl" else None
    return int(found[1]) if found else None


def _vtp(path: Path, content: bytes) -> tuple[FloatArray, IntArray]:
    check_document_type(path, content)
    if not re.search(rb'<VTKFile\b[^>]*\btype\s*=\s*["\']PolyData["\']', content[:4096]):
        raise InputError("not a readable surface (it does not begin like a .vtp)", file=path, mend=_AGAIN)
    _check_declared(path, content)
    try:
        pyvista: Any = import_module("pyvista")
        core: Any = import_module("vtkmodules.vtkCommonCore")
        xml: Any = import_module("vtkmodules.vtkIOXML")
    except ImportError as error:
        raise EnvironmentFailure("reading .vtp needs pyvista: pip install 'sacrofem[view]', or give STL") from error
    # VTK writes its complaints to standard error by itself, in many lines; what it cannot read is seen by its absence.
    loud = core.vtkObject.GetGlobalWarningDisplay()
    core.vtkObject.SetGlobalWarningDisplay(0)
    try:
        reader = xml.vtkXMLPolyDataReader()
        reader.SetFileName(str(path))
        reader.Update()
        sound = reader.GetErrorCode() == 0
        found = pyvista.wrap(reader.GetOutput()).extract_surface(algorithm=None).triangulate()
        points = np.asarray(found.points, dtype=float)
        faces = np.asarray(found.faces).reshape(-1, 4)[:, 1:].astype(np.int64)
    except Exception as error:
        raise InputError(f"not a readable surface ({cut(error)})", file=path, mend=_AGAIN) from error
    finally:
        core.vtkObject.SetGlobalWarningDisplay(loud)
    if not sound or not len(faces):
        raise InputError("not a readable surface (no triangles could be read from it)", file=path, mend=_AGAIN)
    return points, faces


def _check_declared(path: Path, content: bytes) -> None:
    """Refuse counts and blocks of a VTP that the file has no room for: VTK takes their memory before it reads them."""
    head = content[: content.find(b">", content.find(b"<VTKFile")) + 1]
    word = np.dtype("<u8" if b"UInt64" in head else "<u4")
    word = word.newbyteorder(">") if b"BigEndian" in head else word
    compressed = b"compressor" in head
    for found in re.finditer(rb'NumberOf\w+\s*=\s*"\s*(\d+)', content):
        _check_room(path, int(found[1][:30]), len(content))
    for found in re.finditer(rb'format\s*=\s*"binary"[^>]*>\s*([A-Za-z0-9+/=]+)', content):
        _check_block(path, _decoded(found[1]), len(found[1]), word, compressed)
    appended = re.search(rb'<AppendedData[^>]*encoding\s*=\s*"(\w+)"[^>]*>\s*_', content)
    for found in re.finditer(rb'\boffset\s*=\s*"\s*(\d+)', content[: appended.start()]) if appended else ():
        assert appended is not None
        data = content[appended.end() + int(found[1][:18]) :][:64]
        raw = data if appended[1] == b"raw" else _decoded(data)
        _check_block(path, raw, len(content), word, compressed)


def _decoded(text: bytes) -> bytes:
    """The first words of base64."""
    letters = re.match(rb"[A-Za-z0-9+/]*", text[:64])
    assert letters is not None
    return base64.b64decode(letters[0][: len(letters[0]) // 4 * 4])


def _check_block(path: Path, data: bytes, length: int, word: np.dtype[Any], compressed: bool) -> None:
    """An array of so many bytes in the file, by the words that it begins with."""
    words = [int(w) for w in np.frombuffer(data, word, min(3, len(data) // word.itemsize))]
    if compressed and len(words) == 3:
        _check_room(path, (words[0] + (words[2] > 0)) * max(words[1], word.itemsize), length)
    elif not compressed and words:
        _check_room(path, words[0], length)


def _check_room(path: Path, declared: int, length: int) -> None:
    if declared > min(ZLIB_RATIO * length, _MOST_BYTES):
        raise InputError(f"declares {declared} bytes or items where it holds {length} bytes", file=path, mend=_AGAIN)
