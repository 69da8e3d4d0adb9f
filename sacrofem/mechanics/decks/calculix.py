"""A solved state written as an input deck of CalculiX, without any loss.

Bone is C3D10 (P2) or C3D4 (P1), which have the integration points of `Space`. Gap, elastic layer, cortical
membrane, ligaments and whatever else is added to the bone are sums of `Springs`: their energy is ½ Σ k (b·u)² over
points and directions, with b·u the jump, the displacement of the layer, a strain of the membrane or the elongation
of a ligament. CalculiX takes exactly that: the degrees of freedom of one auxiliary node per point are tied by
``*EQUATION`` to √k b·u, and a ``SPRING1`` of stiffness 1 holds each. (The root stands in the equation, as thousands
of different spring constants would be thousands of materials.)

Two things about CalculiX 2.20: displacements that are prescribed and not zero are lost in the equations of their
nodes, so there are none here; and RF of a fixed node lacks the forces that equations put on it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

import numpy as np
from scipy.sparse import csr_array

from sacrofem.errors import InputError
from sacrofem.mechanics.decks.compact import condensed
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.part import Part, Springs, check_names, total_fixed, total_force
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray

# CalculiX reads fields of 20 characters, four terms of an equation and 16 entries of a set a line.
_NUMBER = "{:.12e}"
_SHORT = "{:.9g}"
_TERMS, _ENTRIES = 4, 16
# Number of the face of a tet that lies opposite to each of its corners.
_OPPOSITE = np.array([3, 4, 2, 1])
# A term of an equation below this share of the largest is rounding: of equal and opposite shape functions at a front.
_ROUNDING = 1e-13
# Degrees of freedom of an auxiliary node.
_AXES = 3


@dataclass(frozen=True, eq=False)
class Sets:
    """Names of parts of a mesh, in letters that every reader of decks takes (`deck_name`).

    Attributes
    ----------
    faces : mapping of str to (k,) bool
        Of the mesh: nodes by that name, and a surface ``NAME_FACES``.
    tets : mapping of str to (m,) bool
    """

    faces: Mapping[str, BoolArray] = field(default_factory=dict)
    tets: Mapping[str, BoolArray] = field(default_factory=dict)


def deck_name(name: str) -> str:
    """A name of capital letters, digits and _ that begins with a letter, at most 60 long: PrePoMax takes it too."""
    text = re.sub(r"[^A-Z0-9_]", "_", name.upper())[:60]
    return text if text[:1].isalpha() else f"S_{text}"


@dataclass(frozen=True, eq=False)
class Deck:
    """What a deck calls things, all numbered from 1.

    Attributes
    ----------
    node : (N,) int
        Number of each node of the space.
    auxiliary : mapping of str to (r,) int
        Auxiliary nodes of each part, by its name, in the order of its points.
    springs : mapping of str to Springs
        What these stand for: their displacements are √k b·u.
    """

    node: IntArray
    auxiliary: Mapping[str, IntArray]
    springs: Mapping[str, Springs]


# ------------------------------------------------------------------ writing
def write_calculix(
    path: Path,
    space: Space,
    bone: Elasticity,
    parts: Iterable[Part],
    *,
    tie: bool = False,
    printed: bool = False,
    compact: bool = False,
    sets: Sets | None = None,
    remarks: Sequence[str] = (),
) -> Deck:
    """Write one linear static state.

    Parameters
    ----------
    path
        The ``.inp`` file.
    space
    bone
        Of each tet; equal ones share a material.
    parts
        All of them, the gap and the load too.
    tie
        Twin faces are one, as in the intact state.
    printed
        Ask for displacements, reactions, stress and energy in the ``.dat`` file too, which has more digits than
        the ``.frd`` file.
    compact
        With nine digits, and with the fewest springs of the same energy; auxiliary nodes then stand for no point.
    sets
        Further names.
    remarks
        Lines of comment.

    Returns
    -------
    Deck
        Which number in the deck is which node.

    Raises
    ------
    InputError
        A part is no sum of springs, or two have one name.
    """
    node, parts = _deck_nodes(space, tie), tuple(parts)
    check_names(parts)
    springs = _springs(space, parts)
    if compact:
        springs = {name: condensed(part) for name, part in springs.items()}
    number = _SHORT if compact else _NUMBER
    fixed = total_fixed(parts, space)
    auxiliary, following = {}, int(node.max()) + 1
    for name, part in springs.items():
        count = part.points.shape[0] * part.points.shape[1]
        auxiliary[name] = np.arange(following, following + count)
        following += count
    with path.open("w", encoding="ascii") as out:
        _heading(out, remarks)
        _bone(out, space, node, bone, number)
        next_element = len(space.mesh.tets) + 1
        for name, part in springs.items():
            next_element = _auxiliary(out, name.upper(), part, auxiliary[name], node, next_element, number)
        for axis in range(3 if springs else 0):
            if any(part.stiffness.shape[2] > axis for part in springs.values()):
                out.write(f"*SPRING, ELSET=SPRING{axis + 1}\n{axis + 1}\n1.\n")
        if fixed.any():
            held = np.unique(node[fixed.any(axis=1)])
            out.write("*NSET, NSET=FIXED\n")
            out.writelines(_wrapped(map(str, held.tolist()), _ENTRIES))
        _sets(out, space, node, sets or Sets())
        out.write("*STEP\n*STATIC\n")
        _held(out, node, fixed)
        _loads(out, node, total_force(parts, space))
        _requests(out, list(springs), fixed=bool(fixed.any()), printed=printed)
    return Deck(node, MappingProxyType(auxiliary), MappingProxyType(springs))


def _springs(space: Space, parts: Iterable[Part]) -> dict[str, Springs]:
    springs: dict[str, Springs] = {}
    for part in parts:
        for elements in part.elements(space):
            if not isinstance(elements, Springs) or part.name in springs or elements.stiffness.shape[2] > _AXES:
                raise InputError(
                    "a deck of CalculiX has no lines for it",
                    field="parts",
                    value=part.name,
                    mend=f"leave it out, or write it as one set of springs in at most {_AXES} directions",
                )
            springs[part.name] = elements
    return springs


def _deck_nodes(space: Space, tie: bool) -> IntArray:
    """(N,) numbers from 1; twins share one where they are tied."""
    if not tie:
        return np.arange(1, space.n_nodes + 1)
    tied = Space(space.mesh.glued()[0], space.order)
    node = np.empty(space.n_nodes, np.int64)
    node[space.connectivity] = tied.connectivity + 1
    return node


def _heading(out: TextIO, remarks: Sequence[str]) -> None:
    out.write(
        "*HEADING\nsacrofem: mm, N, MPa\n"
        "** Auxiliary nodes carry gap, elastic layer, cortex and ligaments: *EQUATION ties their displacements to\n"
        "** sqrt(k) times jump, displacement, membrane strain or elongation at one integration point.\n"
    )
    out.writelines(f"** {line}\n" for remark in remarks for line in textwrap.wrap(remark, 100))


def _numbers(values: Iterable[float], number: str = _NUMBER) -> str:
    return ",".join(number.format(value) for value in values)


def _wrapped(entries: Iterable[str], a_line: int) -> Iterator[str]:
    entries = list(entries)
    for start in range(0, len(entries), a_line):
        yield ",".join(entries[start : start + a_line]) + "\n"


def _nodes(out: TextIO, name: str, numbers: IntArray, points: FloatArray, number: str) -> None:
    out.write(f"*NODE, NSET={name}\n")
    out.writelines(f"{n},{_numbers(x, number)}\n" for n, x in zip(numbers.tolist(), points.tolist(), strict=True))


def _bone(out: TextIO, space: Space, node: IntArray, bone: Elasticity, number: str) -> None:
    numbers, first = np.unique(node, return_index=True)
    _nodes(out, "BONE", numbers, space.nodes[first], number)
    out.write(f"*ELEMENT, TYPE={'C3D10' if space.order == 2 else 'C3D4'}, ELSET=BONE\n")
    elements = node[space.connectivity].tolist()
    out.writelines(f"{e},{','.join(map(str, nodes))}\n" for e, nodes in enumerate(elements, 1))
    constants, group = np.unique(np.column_stack([bone.youngs, bone.poisson]), axis=0, return_inverse=True)
    members = np.split(np.argsort(group, kind="stable") + 1, np.cumsum(np.bincount(group.ravel()))[:-1])
    for place, ((modulus, nu), tets) in enumerate(zip(constants.tolist(), members, strict=True), 1):
        out.write(f"*ELSET, ELSET=M{place}\n")
        out.writelines(_wrapped(map(str, tets.tolist()), _ENTRIES))
        out.write(f"*MATERIAL, NAME=M{place}\n*ELASTIC\n{_numbers((modulus, nu))}\n")
        out.write(f"*SOLID SECTION, ELSET=M{place}, MATERIAL=M{place}\n")


def _sets(out: TextIO, space: Space, node: IntArray, sets: Sets) -> None:
    """Sets of elements; faces as surfaces, and their nodes under the same name."""
    mesh = space.mesh
    for name, chosen in sets.tets.items():
        _set(out, "ELSET", name, np.flatnonzero(chosen) + 1)
    missing = (mesh.tets[mesh.face_owners][:, :, None] != mesh.faces[:, None, :]).all(axis=2).argmax(axis=1)
    sides = _OPPOSITE[missing]
    for name, chosen in sets.faces.items():
        faces = np.flatnonzero(chosen)
        if len(faces):
            _set(out, "NSET", name, np.unique(node[space.face_nodes[faces]]))
            out.write(f"*SURFACE, NAME={name}_FACES, TYPE=ELEMENT\n")
            owners = mesh.face_owners[faces] + 1
            out.writelines(f"{e},S{s}\n" for e, s in zip(owners.tolist(), sides[faces].tolist(), strict=True))


def _set(out: TextIO, kind: str, name: str, numbers: IntArray) -> None:
    if len(numbers):
        out.write(f"*{kind}, {kind}={name}\n")
        out.writelines(_wrapped(map(str, numbers.tolist()), _ENTRIES))


def _auxiliary(
    out: TextIO, name: str, part: Springs, numbers: IntArray, node: IntArray, next_element: int, number: str
) -> int:
    """Auxiliary nodes, their equations and springs; the number of the next element."""
    _nodes(out, name, numbers, part.points.reshape(-1, 3), number)
    rows = part.rows(len(node)).multiply(np.sqrt(part.stiffness).reshape(-1, 1)).tocoo()
    # Numbered as in the deck, so that the terms of tied twins add up.
    shape = (rows.shape[0], 3 * int(node.max()))
    tied = csr_array((rows.data, (rows.row, 3 * (node[rows.col // 3] - 1) + rows.col % 3)), shape=shape)
    tied.sum_duplicates()
    out.write("*EQUATION\n")
    held: list[list[tuple[int, int]]] = [[], [], []]
    directions = part.stiffness.shape[2]
    for row in range(shape[0]):
        values = tied.data[tied.indptr[row] : tied.indptr[row + 1]]
        columns = tied.indices[tied.indptr[row] : tied.indptr[row + 1]]
        kept = np.abs(values) > _ROUNDING * np.abs(values).max(initial=0.0)
        if not kept.any():
            continue
        auxiliary, axis = int(numbers[row // directions]), row % directions
        held[axis].append((next_element, auxiliary))
        next_element += 1
        terms = [f"{auxiliary},{axis + 1},-1."]
        terms += [
            f"{c // 3 + 1},{c % 3 + 1},{number.format(v)}"
            for c, v in zip(columns[kept].tolist(), values[kept].tolist(), strict=True)
        ]
        out.write(f"{len(terms)}\n")
        out.writelines(_wrapped(terms, _TERMS))
    used = {auxiliary for springs in held for _, auxiliary in springs}
    for axis, springs in enumerate(held, 1):
        idle = sorted(used - {auxiliary for _, auxiliary in springs})
        if idle:
            out.write("*BOUNDARY\n")
            out.writelines(f"{auxiliary},{axis},{axis}\n" for auxiliary in idle)
        if springs:
            out.write(f"*ELEMENT, TYPE=SPRING1, ELSET=SPRING{axis}\n")
            out.writelines(f"{element},{auxiliary}\n" for element, auxiliary in springs)
    return next_element


def _held(out: TextIO, node: IntArray, fixed: BoolArray) -> None:
    where, axis = np.nonzero(fixed)
    # Tied twins are listed once.
    held = np.unique(np.column_stack([node[where], axis + 1]), axis=0)
    if len(held):
        out.write("*BOUNDARY\n")
        out.writelines(f"{n},{i},{i}\n" for n, i in held.tolist())


def _loads(out: TextIO, node: IntArray, force: FloatArray) -> None:
    summed = np.zeros((int(node.max()), 3))
    np.add.at(summed, node - 1, force)
    where, axis = np.nonzero(summed)
    if len(where):
        out.write("*CLOAD\n")
        out.writelines(f"{n + 1},{i + 1},{_NUMBER.format(summed[n, i])}\n" for n, i in zip(where, axis, strict=True))


def _requests(out: TextIO, auxiliary: list[str], *, fixed: bool, printed: bool) -> None:
    out.write("*NODE FILE\nU\n*EL FILE\nS\n")
    if printed:
        for name in ("BONE", *(name.upper() for name in auxiliary)):
            out.write(f"*NODE PRINT, NSET={name}\nU\n")
        if fixed:
            out.write("*NODE PRINT, NSET=FIXED\nRF\n")
        out.write("*EL PRINT, ELSET=BONE\nS\n*EL PRINT, ELSET=BONE\nCOORD\n*EL PRINT, ELSET=BONE\nELSE\n")
    out.write("*END STEP\n")
