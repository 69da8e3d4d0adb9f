"""Mesh files from elsewhere: what is refused about them before a reader opens them."""

from __future__ import annotations

import re
from pathlib import Path

from sacrofem.errors import EnvironmentFailure, InputError
from sacrofem.system.untrusted import ZLIB_RATIO, check_document_type

_XML = r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->)(?s:.))*-->\s*)*"
_KINDS: tuple[tuple[str, str], ...] = (
    # First bytes as a regular expression, and what they are the sign of.
    (r"\x1f\x8b", "a gzip archive"),
    (r"PK\x03\x04", "a zip archive (or .npz)"),
    (r"\x93NUMPY", "a NumPy array"),
    (r"\x80[\x02-\x05]", "a Python pickle"),
    (r"\x89HDF", "an HDF5 file"),
    (r"\x89PNG", "a picture"),
    (r"ply\r?\n", "a PLY surface"),
    (r"solid\s", "an STL surface"),
    (r"NRRD0", "an NRRD image"),
    (r"ObjectType\s*=", "a MetaImage header"),
    (_XML + "<VTKFile", ".vtu"),
    (_XML + "<Xdmf", "an XDMF header"),
    (r"# vtk DataFile", ".vtk"),
    (r"\$MeshFormat", ".msh"),
    (r"\s*(?:#[^\n]*\n\s*)*MeshVersionFormatted", ".mesh"),
    (r"\s*\*[A-Za-z]", ".inp"),
)

# Bytes of text that one point or cell takes at least.
_LEAST_BYTES = 4.0

_COUNTS = {
    ".vtu": rb'NumberOf(?:Points|Cells)\s*=\s*"\s*(\d+)',
    ".vtk": rb"(?m)^\s*(?:POINTS|CELLS|CELL_TYPES)\s+(\d+)",
    ".msh": rb"(?m)^\$(?:Nodes|Elements)\s+(\d+)",
    ".mesh": rb"(?m)^\s*(?:Vertices|Tetrahedra|Triangles|Edges|Hexahedra)\s+(\d+)",
}

# Of those that VTK knows, what meshio reads; LZ4 is the third.
_COMPRESSORS = ("vtkZLibDataCompressor", "vtkLZMADataCompressor")

_ELSEWHERE = {
    ".inp": rb"(?im)^[ \t]*(\*include\b.*|\*[^\n]*\binput[ \t]*=.*)$",
    ".bdf": rb"(?im)^[ \t]*(include\b.*)$",
}


def check_file(path: Path, suffix: str) -> None:
    """Refuse a mesh file that is not what its name says, or that would make a reader do harm.

    Parameters
    ----------
    path
        An existing file.
    suffix
        Of a supported format.

    Raises
    ------
    InputError
        Empty, of another kind, with an XML document type (entities expand without end or read other
        files), compressed as no reader here can (.vtu), naming another file, or declaring more points or cells
        than it can hold.
    EnvironmentFailure
        It cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EnvironmentFailure(f"{path}: cannot be read ({error.strerror})") from error
    again = "the file may be truncated: export it again"
    if not content:
        raise InputError(f"not a readable {suffix} mesh (it is empty)", file=path, mend=again)
    kind = looks_like(content[:4096])
    if kind is not None and kind != suffix:
        mend = f"name it *{kind}" if kind.startswith(".") else "give a tet mesh as .vtu"
        raise InputError(f"not a readable {suffix} mesh (it looks like {kind})", file=path, mend=mend)
    if suffix == ".vtu":
        check_document_type(path, content)
    if suffix == ".vtu" and kind is None:
        raise InputError(f"not a readable {suffix} mesh (it does not begin like one)", file=path, mend=again)
    if suffix in _ELSEWHERE and (found := re.search(_ELSEWHERE[suffix], content)):
        line = found[1].decode(errors="replace").strip()[:60]
        raise InputError("names another file, which is not read", file=path, value=line, mend="put all into one file")
    if suffix == ".vtu" and (found := re.search(rb'<VTKFile[^>]*\bcompressor\s*=\s*"([^"]*)"', content)):
        name = found[1].decode(errors="replace")
        if name not in _COMPRESSORS:
            raise InputError(
                "is compressed in a way that is not read", file=path, field="compressor", value=name,
                mend="write it with zlib (vtkZLibDataCompressor), or without compression",
            )  # fmt: skip
    _check_counts(path, suffix, content, again)


def _check_counts(path: Path, suffix: str, content: bytes, mend: str) -> None:
    room = len(content) / _LEAST_BYTES * (ZLIB_RATIO if suffix == ".vtu" else 1.0)
    for found in re.finditer(_COUNTS[suffix], content) if suffix in _COUNTS else ():
        if (count := int(found[1][:30])) > room:
            raise InputError(f"declares {count} points or cells in {len(content)} bytes", file=path, mend=mend)


def looks_like(head: bytes) -> str | None:
    """What the first bytes of a file are the sign of; a supported format by its suffix."""
    text = head.decode("latin-1").removeprefix("ï»¿")
    return next((kind for sign, kind in _KINDS if re.match(sign, text)), None)
