"""Input files of Abaqus and CalculiX: parts put together by their instances, and faces named in any of their ways."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import meshio
import numpy as np
from scipy.spatial.transform import Rotation

from sacrofem.errors import InputError, cut
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray

SIDES = np.array([[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]])
"""Corners of the faces S1 to S4 of a tet (Abaqus, "Solid elements"; CalculiX, "*SURFACE")."""
_MIDDLES = np.array([[4, 5, 6], [7, 8, 4], [8, 9, 5], [9, 7, 6]])

_NODES = {
    # Elements by the beginning of their names, and the cell and the number of nodes that these stand for.
    r"C3D4(?!\d)": ("tetra", 4),
    r"C3D10(?!\d)": ("tetra10", 10),
    r"(S3|STRI3|M3D3|SFM3D3|R3D3|DS3|CPS3|CPE3|CAX3|CPEG3)": ("triangle", 3),
    r"(S6|STRI65|M3D6|SFM3D6|DS6|CPS6|CPE6|CAX6)": ("triangle6", 6),
}
_WITHOUT_BODY = r"(T2D|T3D|B2|B3|PIPE|FRAME|MASS|ROTARY|SPRING|DASHPOT|CONN|GAP|DCOUP|DC1D|RB|R2D|SAX|F3D2)"
_MAKERS = ("NGEN", "NFILL", "NCOPY", "NMAP", "ELGEN", "ELCOPY", "SYSTEM")
_AGAIN = "export it again"
_Kind = Literal["node", "element"]
_ByPlace = list[tuple[str, IntArray]]


@dataclass(frozen=True)
class _Card:
    """A keyword with its parameters and data lines."""

    name: str
    given: dict[str, str]
    data: list[str]
    line: int


@dataclass(frozen=True)
class _Entry:
    """What one card adds to a set: labels and names, or triples of first, last and step."""

    instance: str = ""
    labels: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    names: tuple[str, ...] = ()
    triples: tuple[tuple[int, int, int], ...] = ()


@dataclass
class _Scope:
    """What a part, an instance or the model itself defines: labels as they stand in the file, names in capitals."""

    nodes: list[FloatArray] = field(default_factory=list)
    elements: list[tuple[str, IntArray]] = field(default_factory=list)
    nsets: dict[str, list[_Entry]] = field(default_factory=dict)
    elsets: dict[str, list[_Entry]] = field(default_factory=dict)
    surfaces: dict[str, list[tuple[str, list[str]]]] = field(default_factory=dict)

    def copy(self) -> _Scope:
        """Another one with the same, to which more can be added."""
        nsets, elsets = ({name: list(had) for name, had in sets.items()} for sets in (self.nsets, self.elsets))
        surfaces = {name: list(cards) for name, cards in self.surfaces.items()}
        return _Scope(list(self.nodes), list(self.elements), nsets, elsets, surfaces)


@dataclass
class _Placed:
    """A scope in its place, its nodes and elements numbered through."""

    scope: _Scope
    nodes: IntArray
    first_node: int
    tets: IntArray
    tet_at: IntArray
    triangles: IntArray
    triangle_at: IntArray


def read(path: str) -> meshio.Mesh:
    """Read an input file.

    Parameters
    ----------
    path
        Nodes and elements in one block or many, in parts and instances (moved and turned as these say) or without.

    Returns
    -------
    meshio.Mesh
        Tets and triangles. Among ``cell_sets`` are element sets, and the triangles of element surfaces, of node
        surfaces and of node sets: boundary faces all of whose nodes the set holds.

    Raises
    ------
    InputError
        A card that makes nodes of others, an unknown element, or a line that does not hold what it should.
    """
    return _Model(path).mesh()


class _Model:
    """The cards of one file, sorted into scopes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.root = _Scope()
        self.parts: dict[str, _Scope] = {}
        self.instances: dict[str, tuple[_Scope, list[str], int]] = {}
        self.shown: dict[str, str] = {}
        scope = self.root
        for card in self._cards(Path(path).read_text(encoding="utf-8-sig", errors="replace")):
            if card.name == "PART":
                scope = self.parts.setdefault(card.given.get("NAME", "").upper(), _Scope())
            elif card.name == "INSTANCE":
                scope = self._instance(card)
            elif card.name in ("END PART", "END INSTANCE", "ASSEMBLY", "END ASSEMBLY"):
                scope = self.root
            elif card.name in _MAKERS or (card.name == "NODE" and "SYSTEM" in card.given):
                raise InputError(
                    f"makes nodes or elements by *{card.name} in line {card.line}, which is not read", file=path,
                    mend="write every node and element into the file, in global axes",
                )  # fmt: skip
            else:
                self._take(card, scope)

    def _cards(self, text: str) -> Iterator[_Card]:
        card: _Card | None = None
        goes_on = False
        for number, line in enumerate(text.splitlines(), 1):
            line = line.strip()
            if not line or line.startswith("**"):
                continue
            # A keyword goes on after a comma, if what follows is a parameter.
            goes_on = goes_on and not line.startswith("*") and bool(re.match(r"[A-Za-z]", line))
            if line.startswith("*") or goes_on:
                words = [word.strip() for word in line.lstrip("*").split(",")]
                if not goes_on:
                    if card is not None:
                        yield card
                    card = _Card(" ".join(words.pop(0).upper().split()), {}, [], number)
                assert card is not None
                for word in filter(None, words):
                    key, _, value = word.partition("=")
                    card.given[key.strip().upper()] = value.strip().strip('"')
                goes_on = line.endswith(",")
            elif card is not None:
                card.data.append(line)
        if card is not None:
            yield card

    def _refused(self, problem: str, mend: str = _AGAIN) -> InputError:
        return InputError(problem, file=self.path, mend=mend)

    def _instance(self, card: _Card) -> _Scope:
        name, part = card.given.get("NAME", "").upper(), card.given.get("PART", "").upper()
        if part not in self.parts or name in self.instances:
            raise self._refused(
                f"line {card.line}: instance {cut(name, 40)!r} is there twice, or of no part of the file",
                "put all parts into one file",
            )
        # What an instance defines itself stands beside what its part does.
        own = self.parts[part].copy()
        self.instances[name] = own, card.data, card.line
        return own

    def _take(self, card: _Card, scope: _Scope) -> None:
        if card.name == "NODE":
            scope.nodes.append(self._node_lines(card))
            if "NSET" in card.given:
                entry = _Entry(labels=scope.nodes[-1][:, 0].astype(np.int64))
                scope.nsets.setdefault(self._name(card, "NSET"), []).append(entry)
        elif card.name == "ELEMENT":
            if (block := self._element_lines(card)) is not None:
                scope.elements.append(block)
                if "ELSET" in card.given:
                    scope.elsets.setdefault(self._name(card, "ELSET"), []).append(_Entry(labels=block[1][:, 0]))
        elif card.name in ("NSET", "ELSET"):
            sets = scope.nsets if card.name == "NSET" else scope.elsets
            sets.setdefault(self._name(card, card.name), []).append(self._entry(card))
        elif card.name == "SURFACE":
            kind = card.given.get("TYPE", "ELEMENT").upper()
            if "COMBINE" in card.given:
                kind = "UNION"
                if card.given["COMBINE"].upper() != kind:
                    raise self._refused(f"line {card.line}: of combined surfaces only unions are read")
            if kind in ("ELEMENT", "NODE", "UNION"):
                scope.surfaces.setdefault(self._name(card, "NAME"), []).append((kind, card.data))

    def _name(self, card: _Card, key: str) -> str:
        """The name in capitals, by which it is known; it is shown as it was written first."""
        name = card.given.get(key, "")
        self.shown.setdefault(name.upper(), "" if "INTERNAL" in card.given else name)
        return name.upper()

    def _entry(self, card: _Card) -> _Entry:
        instance = card.given.get("INSTANCE", "").upper()
        if "GENERATE" in card.given:
            return _Entry(instance, triples=tuple(self._triple(line, card) for line in card.data))
        words = [word for line in card.data for part in line.split(",") if (word := part.strip().strip('"'))]
        numbers = [word for word in words if _is_label(word)]
        names = tuple(word for word in words if not _is_label(word))
        return _Entry(instance, np.array(numbers, dtype=np.int64), names)

    def _triple(self, line: str, card: _Card) -> tuple[int, int, int]:
        words = [word.strip() for word in line.split(",") if word.strip()]
        if not (2 <= len(words) <= 3 and all(map(_is_label, words))):
            raise self._refused(f"line {card.line}: GENERATE wants first, last, step, and has {cut(line, 40)!r}")
        return int(words[0]), int(words[1]), max(int(words[2]) if len(words) == 3 else 1, 1)

    def _node_lines(self, card: _Card) -> FloatArray:
        rows = []
        for k, line in enumerate(card.data, 1):
            words = line.rstrip(",").split(",")
            try:
                # After the coordinates a line may hold a normal.
                label, x, y, z = int(words[0]), *(float(word or 0.0) for word in (*words[1:4], "0", "0", "0")[:3])
            except ValueError as error:
                raise self._refused(
                    f"not a readable .inp mesh (node {k} after line {card.line}: {cut(line, 60)!r})"
                ) from error
            if len(words) == 7 and not re.search(r"[.eEdD]", line):
                raise self._refused(
                    f"holds decimal commas (node {k} after line {card.line}: {cut(line, 60)!r})",
                    "export it with decimal points",
                )
            rows.append((label, x, y, z))
        return np.array(rows, dtype=float).reshape(-1, 4)

    def _element_lines(self, card: _Card) -> tuple[str, IntArray] | None:
        kind = card.given.get("TYPE", "").upper()
        known = next((found for sign, found in _NODES.items() if re.match(sign, kind)), None)
        if known is None and re.match(_WITHOUT_BODY, kind):
            return None
        if known is None:
            raise self._refused(
                f"holds cells of type {cut(kind or 'without a name', 30)!r}", "convert them to tetrahedra"
            )
        try:
            numbers = [int(word) for line in card.data for word in line.split(",") if word.strip()]
            table = np.array(numbers, dtype=np.int64).reshape(-1, known[1] + 1)
        except (ValueError, OverflowError) as error:
            raise self._refused(
                f"not a readable .inp mesh (elements {kind} after line {card.line} are no rows of {known[1] + 1} whole "
                "numbers)", "the file may be truncated: export it again",
            ) from error  # fmt: skip
        return known[0], table

    # ------------------------------------------------------------------ put together
    def mesh(self) -> meshio.Mesh:
        scopes: dict[str, tuple[_Scope, Any]] = {"": (self.root, None)}
        if self.instances:
            scopes |= {name: (own, self._motion(data, line)) for name, (own, data, line) in self.instances.items()}
        else:
            scopes |= {f"part {name}": (scope, None) for name, scope in self.parts.items()}
        points: list[FloatArray] = []
        cells: dict[str, list[IntArray]] = {"tetra": [], "tetra10": [], "triangle": []}
        placed: dict[str, _Placed] = {}
        for name, (scope, motion) in scopes.items():
            placed[name] = self._placed(scope, motion, points, cells)
        if cells["tetra"] and cells["tetra10"]:
            raise self._refused("mixes tetrahedra of four and ten nodes", "export one kind")
        kind = "tetra10" if cells["tetra10"] else "tetra"
        tets = np.concatenate([*cells[kind], np.empty((0, 10 if kind == "tetra10" else 4), np.int64)])
        triangles = np.concatenate([*cells["triangle"], np.empty((0, 3), np.int64)])
        places = np.concatenate([*points, np.empty((0, 3))])
        named = _Names(placed, len(places), tets, triangles)
        faces, on_faces = named.faces()
        on_tets = named.tet_sets()
        none = np.empty(0, np.int64)
        sets = {
            self.shown[name]: [on_tets.get(name, none), on_faces.get(name, none)]
            for name in (on_tets | on_faces)
            if self.shown[name]
        }
        return meshio.Mesh(places, [(kind, tets), ("triangle", faces)], cell_sets=sets)

    def _motion(self, data: list[str], line: int) -> Any:
        """Shift, and after it a turn about an axis, as the data lines of an instance say."""
        try:
            rows = [[float(word) for word in text.split(",") if word.strip()] for text in data]
            sizes = [len(row) for row in rows]
            if sizes not in ([], [3], [7], [3, 7]):
                raise ValueError
        except ValueError as error:
            raise self._refused(f"not a readable .inp mesh (place of the instance in line {line})") from error
        shift = np.array(rows[0] if 3 in sizes else [0.0, 0.0, 0.0])
        if 7 not in sizes:
            return lambda x: x + shift
        start, end, angle = np.array(rows[-1][:3]), np.array(rows[-1][3:6]), np.radians(rows[-1][6])
        way = end - start
        length = float(np.linalg.norm(way))
        if not length > 0.0:
            raise self._refused(f"the instance in line {line} turns about an axis without length")
        turn = Rotation.from_rotvec(angle * way / length)
        return lambda x: start + turn.apply(x + shift - start) if len(x) else x

    def _placed(
        self, scope: _Scope, motion: Any, points: list[FloatArray], cells: dict[str, list[IntArray]]
    ) -> _Placed:
        rows = np.concatenate([*scope.nodes, np.empty((0, 4))])
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        labels = rows[:, 0].astype(np.int64)
        if (twice := labels[1:][np.diff(labels) == 0]).size:
            raise self._refused(f"defines node {twice[0]} twice", "give every node a number of its own")
        first = sum(map(len, points))
        points.append(rows[:, 1:] if motion is None else motion(rows[:, 1:]))
        none = np.empty(0, np.int64)
        found: dict[bool, tuple[list[IntArray], list[IntArray]]] = {True: ([none], [none]), False: ([none], [none])}
        for kind, table in scope.elements:
            solid = kind.startswith("tet")
            nodes = table[:, 1:] if solid else table[:, 1:4]
            at = np.minimum(np.searchsorted(labels, nodes), max(len(labels) - 1, 0))
            sound = labels[at] == nodes if len(labels) else nodes < 0
            if not sound.all():
                raise self._refused(
                    f"element {table[np.argmin(sound.all(axis=1)), 0]} names points that do not exist",
                    "the file may be truncated: export it again",
                )
            block = cells[kind if solid else "triangle"]
            found[solid][0].append(table[:, 0])
            found[solid][1].append(sum(map(len, block)) + np.arange(len(table)))
            block.append(first + at)
        tets, tet_at, triangles, triangle_at = (
            np.concatenate(part) for solid in (True, False) for part in found[solid]
        )
        return _Placed(scope, labels, first, tets, tet_at, triangles, triangle_at)


def _is_label(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 19


class _Names:
    """Sets and surfaces of all scopes, as numbers of the whole mesh."""

    def __init__(self, placed: dict[str, _Placed], points: int, tets: IntArray, triangles: IntArray) -> None:
        self.placed, self.points, self.tets, self.triangles = placed, points, tets, triangles
        self.corners = tets[:, SIDES]
        keys = np.sort(self.corners.reshape(-1, 3), axis=1)
        _, first, times = np.unique(keys, axis=0, return_index=True, return_counts=True)
        once = np.zeros(len(keys), bool)
        once[first[times == 1]] = True
        self.free: BoolArray = once.reshape(-1, 4)

    def _labels(self, kind: _Kind, where: str, name: str, seen: frozenset[tuple[str, str]]) -> _ByPlace:
        """Labels of a set, by the scope that they belong to."""
        key = (where, name.upper())
        if key in seen:
            return []
        scope, found = self.placed[where].scope, []
        for entry in (scope.nsets if kind == "node" else scope.elsets).get(key[1], ()):
            there = entry.instance if entry.instance in self.placed else where
            found.append((there, entry.labels))
            if entry.triples:
                found.append((there, self._generated(kind, there, entry.triples)))
            for word in entry.names:
                found += self._named(kind, there, word, seen | {key})
        return found

    def _named(self, kind: _Kind, where: str, word: str, seen: frozenset[tuple[str, str]] = frozenset()) -> _ByPlace:
        """A set or a label, the name of an instance and a point before it or not."""
        there, word = self._place(where, word)
        if _is_label(word):
            return [(there, np.array([word], dtype=np.int64))]
        return self._labels(kind, there, word, seen)

    def _place(self, where: str, word: str) -> tuple[str, str]:
        instance, _, rest = word.rpartition(".")
        known = bool(instance) and instance.upper() in self.placed
        return (instance.upper(), rest) if known else (where, word)

    def _generated(self, kind: _Kind, where: str, triples: tuple[tuple[int, int, int], ...]) -> IntArray:
        there = self.placed[where]
        labels = there.nodes if kind == "node" else np.concatenate([there.tets, there.triangles])
        kept = np.zeros(len(labels), bool)
        for first, last, step in triples:
            kept |= (labels >= first) & (labels <= last) & ((labels - first) % step == 0)
        return np.asarray(labels[kept])

    @staticmethod
    def _at(labels: IntArray, wanted: IntArray, numbers: IntArray) -> IntArray:
        """Numbers in the whole mesh of those labels that are there."""
        return np.asarray(numbers[np.isin(labels, wanted)])

    def _nodes(self, by_place: _ByPlace) -> BoolArray:
        inside = np.zeros(self.points, bool)
        for place, labels in by_place:
            there = self.placed[place]
            inside[self._at(there.nodes, labels, there.first_node + np.arange(len(there.nodes)))] = True
        return inside

    def _elements(self, by_place: _ByPlace) -> tuple[IntArray, IntArray]:
        tets, triangles = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for place, labels in by_place:
            there = self.placed[place]
            tets.append(self._at(there.tets, labels, there.tet_at))
            triangles.append(self._at(there.triangles, labels, there.triangle_at))
        return np.concatenate(tets), np.concatenate(triangles)

    def _of_nodes(self, inside: BoolArray) -> IntArray:
        """(k, 3) boundary faces all of whose nodes are in a set; their middles too, where it holds any middle."""
        faces = self.free & inside[self.corners].all(axis=2)
        if self.tets.shape[1] == 10 and inside[self.tets[:, 4:]].any():
            faces &= inside[self.tets[:, _MIDDLES]].all(axis=2)
        return np.asarray(self.corners[faces])

    def _of_surface(self, where: str, name: str, seen: frozenset[tuple[str, str]] = frozenset()) -> list[IntArray]:
        key = (where, name.upper())
        if key in seen:
            return []
        found: list[IntArray] = []
        for kind, lines in self.placed[where].scope.surfaces.get(key[1], ()):
            for words in ([word.strip().strip('"') for word in line.split(",")] for line in lines):
                if kind == "UNION":
                    for word in filter(None, words):
                        found += self._of_surface(*self._place(where, word), seen | {key})
                elif kind == "NODE":
                    found.append(self._of_nodes(self._nodes(self._named("node", where, words[0]))))
                else:
                    found.append(self._of_elements(where, words))
        return found

    def _of_elements(self, where: str, words: list[str]) -> IntArray:
        """Faces of elements: the side that is named, without one those on the boundary; triangles by themselves."""
        tets, triangles = self._elements(self._named("element", where, words[0]))
        side = words[1].upper() if len(words) > 1 else ""
        if re.fullmatch("S[1-4]", side) and len(tets):
            return np.asarray(self.corners[tets, int(side[1]) - 1])
        free = self.corners[tets][self.free[tets]] if not side else np.empty((0, 3), np.int64)
        return np.concatenate([free, self.triangles[triangles]])

    def _element_sets(self) -> dict[str, tuple[IntArray, IntArray]]:
        found: dict[str, list[tuple[IntArray, IntArray]]] = {}
        for where, there in self.placed.items():
            for name in there.scope.elsets:
                found.setdefault(name, []).append(self._elements(self._labels("element", where, name, frozenset())))
        return {
            name: (np.concatenate([tets for tets, _ in parts]), np.concatenate([tri for _, tri in parts]))
            for name, parts in found.items()
        }

    def tet_sets(self) -> dict[str, IntArray]:
        """Element sets of tets, by their names."""
        return {name: tets for name, (tets, _) in self._element_sets().items() if len(tets)}

    def faces(self) -> tuple[IntArray, dict[str, IntArray]]:
        """(k, 3) triangles, and which of them each name means: a surface, else triangles, else a set of nodes."""
        surfaces: dict[str, list[IntArray]] = {}
        nodes: dict[str, list[IntArray]] = {}
        for where, there in self.placed.items():
            for name in there.scope.surfaces:
                surfaces.setdefault(name, []).extend(self._of_surface(where, name))
            for name in there.scope.nsets:
                inside = self._nodes(self._labels("node", where, name, frozenset()))
                nodes.setdefault(name, []).append(self._of_nodes(inside))
        shells = {name: [self.triangles[tri]] for name, (_, tri) in self._element_sets().items() if len(tri)}
        faces, members, begin = [self.triangles], {}, len(self.triangles)
        for name, parts in (nodes | shells | surfaces).items():
            block = np.concatenate([*parts, np.empty((0, 3), np.int64)])
            if len(block):
                faces.append(block)
                members[name] = begin + np.arange(len(block))
                begin += len(block)
        return np.concatenate(faces), members
