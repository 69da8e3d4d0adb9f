"""Mesh files of Gmsh: in format 4.1 a face belongs to any number of physical groups, or to none."""

from __future__ import annotations

import re
from pathlib import Path

import meshio
import numpy as np
from numpy.typing import NDArray

from sacrofem.system.arrays import IntArray

# Types of elements: cell and nodes; Gmsh has the last two middles of ten-node tets the other way round.
_CELLS = {
    1: ("line", 2), 2: ("triangle", 3), 4: ("tetra", 4), 8: ("line3", 3), 9: ("triangle6", 6), 11: ("tetra10", 10),
    15: ("vertex", 1), 3: ("quad", 4), 5: ("hexahedron", 8), 6: ("wedge", 6), 7: ("pyramid", 5),
}  # fmt: skip
_TEN = [0, 1, 2, 3, 4, 5, 6, 7, 9, 8]


def read(path: str) -> meshio.Mesh:
    """Read a file: format 4.1 here, where groups of each face are kept, any other by meshio.

    Returns
    -------
    meshio.Mesh
        With the physical groups of tets and triangles in ``cell_sets``; one without a name is ``physical_3``.

    Raises
    ------
    ValueError, LookupError
        A damaged file.
    """
    content = Path(path).read_bytes()
    head = re.search(rb"\$MeshFormat\s+4\.1\s+([01])\s+(\d)[ \t]*\r?\n", content)
    if head is None:
        return meshio.gmsh.read(path)
    binary = head[1] == b"1"
    order = "<" if content[head.end() : head.end() + 4] == b"\1\0\0\0" else ">"
    if binary and head[2] != b"8":
        raise ValueError(f"numbers of {head[2].decode()} bytes")

    def section(name: str) -> _Section | None:
        begin = re.search(rb"(?:\A|\n)\$" + name.encode() + rb"[ \t]*\r?\n", content)
        end = -1 if begin is None else content.find(b"$End" + name.encode(), begin.end())
        return None if begin is None or end < 0 else _Section(content[begin.end() : end], binary, order)

    groups = _groups(section("Entities"))
    names = {}
    if (found := re.search(rb"\$PhysicalNames\s(.*?)\$EndPhysicalNames", content, re.DOTALL)) is not None:
        for dimension, tag, name in re.findall(rb'(?m)^\s*(\d)\s+(\d+)\s+"([^"\n]*)"', found[1]):
            names[int(dimension), int(tag)] = name.decode("utf-8", "replace")
    nodes, elements = section("Nodes"), section("Elements")
    if nodes is None or elements is None:
        raise ValueError("no whole sections of nodes and elements")
    labels, points = _nodes(nodes)
    return _mesh(points, labels, elements, groups, names)


class _Section:
    """Numbers of a section one after another, as text or as bytes."""

    def __init__(self, content: bytes, binary: bool, order: str) -> None:
        self.content, self.order, self.at = content, order, 0
        self.words = None if binary else content.split()

    def take(self, kind: str, count: int) -> NDArray[np.float64] | IntArray:
        """The next numbers: ``i`` (4 bytes), ``u`` (8 bytes) or ``d``."""
        if self.words is None:
            dtype = np.dtype(self.order + {"i": "i4", "u": "u8", "d": "f8"}[kind])
            found = np.frombuffer(self.content, dtype, count, self.at)
            self.at += count * dtype.itemsize
            return found.astype(float if kind == "d" else np.int64)
        some = self.words[self.at : self.at + count]
        if len(some) < count:
            raise ValueError("a section ends too soon")
        self.at += count
        return np.array(some).astype(float) if kind == "d" else np.array([int(word) for word in some], np.int64)

    def number(self, kind: str) -> int:
        return int(self.take(kind, 1)[0])


def _groups(section: _Section | None) -> dict[tuple[int, int], list[int]]:
    """Physical groups of every entity, by its dimension and tag."""
    found: dict[tuple[int, int], list[int]] = {}
    if section is None:
        return found
    counts = [section.number("u") for _ in range(4)]
    for dimension, count in enumerate(counts):
        for _ in range(count):
            tag = section.number("i")
            section.take("d", 6 if dimension else 3)
            # The sign of a group is the direction of its entity.
            found[dimension, tag] = [abs(int(group)) for group in section.take("i", section.number("u"))]
            if dimension:
                section.take("i", section.number("u"))
    return found


def _nodes(section: _Section) -> tuple[IntArray, NDArray[np.float64]]:
    blocks = section.number("u")
    section.take("u", 3)
    labels, points = [np.empty(0, np.int64)], [np.empty((0, 3))]
    for _ in range(blocks):
        dimension, _, parametric = (section.number("i") for _ in range(3))
        count = section.number("u")
        labels.append(np.asarray(section.take("u", count), np.int64))
        width = 3 + (dimension if parametric else 0)
        points.append(np.asarray(section.take("d", width * count), float).reshape(-1, width)[:, :3])
    return np.concatenate(labels), np.concatenate(points)


def _mesh(
    points: NDArray[np.float64],
    labels: IntArray,
    section: _Section,
    groups: dict[tuple[int, int], list[int]],
    names: dict[tuple[int, int], str],
) -> meshio.Mesh:
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    blocks = section.number("u")
    section.take("u", 3)
    cells: list[tuple[str, IntArray]] = []
    belongs: list[list[str]] = []
    for _ in range(blocks):
        dimension, tag, kind = (section.number("i") for _ in range(3))
        count = section.number("u")
        if kind not in _CELLS:
            raise ValueError(f"elements of type {kind}")
        name, width = _CELLS[kind]
        nodes = np.asarray(section.take("u", count * (1 + width)), np.int64).reshape(-1, 1 + width)[:, 1:]
        at = np.minimum(np.searchsorted(ordered, nodes), len(ordered) - 1)
        if (ordered[at] != nodes).any():
            raise ValueError("cells name points that do not exist")
        cells.append((name, order[at][:, _TEN] if name == "tetra10" else order[at]))
        mine = groups.get((dimension, tag), [])
        belongs.append([names.get((dimension, group), f"physical_{group}") for group in mine])
    sets = {
        group: [np.arange(len(block) if group in mine else 0) for (_, block), mine in zip(cells, belongs, strict=True)]
        for group in dict.fromkeys(name for mine in belongs for name in mine)
    }
    return meshio.Mesh(points, cells, cell_sets=sets)
