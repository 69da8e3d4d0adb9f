"""A solved state written as an input deck of CalculiX, without any loss.

Bone is C3D10 (P2) or C3D4 (P1), which have the integration points of `Space`. Gap, elastic layer, cortical
membrane and ligaments are sums of springs: their energy is ½ Σ k (b·u)² over integration points and
directions, with b·u the jump, the displacement of the layer, a strain of the membrane or the elongation of a
ligament. CalculiX takes exactly that: the degrees of freedom of one auxiliary node per integration point are
tied by ``*EQUATION`` to √k b·u, and a ``SPRING1`` of stiffness 1 holds each. (The root stands in the equation,
as thousands of different spring constants would be thousands of materials.)

Two things about CalculiX 2.20: displacements that are prescribed and not zero are lost in the equations of their
nodes, so there are none here; and RF of a fixed node lacks the forces that equations put on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

import numpy as np
from scipy.sparse import csr_array

from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.cortex import Membrane, membrane_strains
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.mechanics.parts.supports import Supports
from sacrofem.mechanics.space.quadrature import triangle_rule
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import FloatArray, IntArray

# CalculiX reads fields of 20 characters, four terms of an equation and 16 entries of a set a line.
_NUMBER = "{:.12e}"
_TERMS, _ENTRIES = 4, 16
# A term of an equation below this share of the largest is rounding: of equal and opposite shape functions at a front.
_ROUNDING = 1e-13


@dataclass(frozen=True, eq=False)
class Springs:
    """Energy ½ Σ k (b·u)² of one part of a model.

    Attributes
    ----------
    rows : (r·d, 3N) sparse
        b of each of d directions at each of r points.
    stiffness : (r, d)
        k: N/mm where b·u is in mm, N·mm where it is a strain.
    points : (r, 3)
        mm.
    """

    rows: csr_array
    stiffness: FloatArray
    points: FloatArray


@dataclass(frozen=True, eq=False)
class Deck:
    """What a deck calls things, all numbered from 1.

    Attributes
    ----------
    node : (N,) int
        Number of each node of the space.
    auxiliary : mapping of str to (r,) int
        Auxiliary nodes of ``gap``, ``layer``, ``cortex`` and ``ligaments``, in the order of their points.
    springs : mapping of str to Springs
        What these stand for: their displacements are √k b·u.
    """

    node: IntArray
    auxiliary: Mapping[str, IntArray]
    springs: Mapping[str, Springs]


def gap_springs(space: Space, law: GapStiffness) -> Springs:
    """Jump along the normal and two tangents at every gap point."""
    gap, mesh = space.gap, space.mesh
    plus, minus = mesh.paired
    shape = space.face_shape(gap.barycentric)
    nodes = np.concatenate([space.face_nodes[plus], space.face_nodes[minus]], axis=1)
    rows = _interpolation(space, nodes, np.concatenate([shape, -shape], axis=1), triad(gap.normals))
    stiffness = gap.areas[..., None] * np.stack([law.normal, law.tangential, law.tangential], axis=-1)
    return Springs(rows, stiffness.reshape(-1, 3), gap.points.reshape(-1, 3))


def layer_springs(space: Space, supports: Supports) -> Springs:
    """Displacement of the faces on an elastic layer along the normal and two tangents."""
    mesh, faces = space.mesh, supports.foundation_faces
    barycentric, weights = triangle_rule()
    rows = _interpolation(
        space, space.face_nodes[faces], space.face_shape(barycentric), triad(mesh.face_normals[faces])
    )
    k_t = supports.foundation_tangent
    areas = mesh.face_areas[faces][:, None] * weights
    stiffness = areas[..., None] * np.stack([supports.foundation_normal, k_t, k_t], axis=1)[:, None]
    points = np.einsum("qc,fcx->fqx", barycentric, mesh.points[mesh.faces[faces]])
    return Springs(rows, stiffness.reshape(-1, 3), points.reshape(-1, 3))


def membrane_springs(space: Space, membrane: Membrane) -> Springs:
    """Strains of the cortex in which the plane-stress law is diagonal.

    2w = E/(1-ν) a² + E/(1+ν) b² + E/(2(1+ν)) c² with a, b = (ε₁₁ ± ε₂₂)/√2 and c = γ₁₂.
    """
    faces = membrane.faces
    operator, areas = membrane_strains(space, faces)
    first, second, shear = np.moveaxis(operator, 2, 0)
    modes = np.stack([(first + second) / np.sqrt(2), (first - second) / np.sqrt(2), shear], axis=2)
    nu = membrane.poisson
    law = np.array([1 / (1 - nu), 1 / (1 + nu), 0.5 / (1 + nu)])
    weight = areas * (membrane.youngs[faces] * membrane.thickness[faces])[:, None]
    nodes = np.broadcast_to(space.face_nodes[faces][:, None], (*areas.shape, space.face_nodes.shape[1]))
    # The place of an auxiliary node has no meaning to the solver; the middle of its face shows where it belongs.
    points = np.repeat(space.mesh.points[space.mesh.faces[faces]].mean(axis=1), areas.shape[1], axis=0)
    q, modes = areas.size, modes.reshape(areas.size, 3, -1, 3)
    return Springs(_sparse(space, nodes.reshape(q, 1, -1, 1), modes), (weight[..., None] * law).reshape(-1, 3), points)


def ligament_springs(space: Space, supports: Supports) -> Springs:
    """Elongation of the springs to fixed points."""
    nodes = supports.spring_nodes
    rows = _sparse(space, nodes[:, None, None, None], supports.spring_directions[:, None, None, :])
    return Springs(rows, supports.spring_stiffness[:, None], space.nodes[nodes])


def triad(normals: FloatArray) -> FloatArray:
    """(f, 3, 3) of unit normals (f, 3): the normal and two tangents, row by row."""
    smallest = np.eye(3)[np.abs(normals).argmin(axis=1)]
    first = np.cross(normals, smallest)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([normals, first, np.cross(normals, first)], axis=1)


def _interpolation(space: Space, nodes: IntArray, shape: FloatArray, axes: FloatArray) -> csr_array:
    """Value along each of the axes (f, d, 3) of each face, at each point of the rule."""
    values = np.einsum("qa,fdx->fqdax", shape, axes)
    return _sparse(space, nodes[:, None, None, :, None], values)


def _sparse(space: Space, nodes: IntArray, values: FloatArray) -> csr_array:
    """Rows (..., d) over displacements from their terms (..., d, a, 3) at nodes that broadcast to them."""
    columns = np.broadcast_to(3 * nodes + np.arange(3), values.shape)
    per_row = values.shape[-2] * 3
    n_rows = values.size // per_row
    pointer = np.arange(0, values.size + 1, per_row)
    rows = csr_array((values.ravel(), columns.ravel(), pointer), shape=(n_rows, 3 * space.n_nodes))
    rows.sum_duplicates()
    return rows


# ------------------------------------------------------------------ writing
def write_calculix(
    path: Path,
    space: Space,
    bone: Elasticity,
    force: FloatArray,
    supports: Supports,
    *,
    membrane: Membrane | None = None,
    gap: GapStiffness | None = None,
    tie: bool = False,
    printed: bool = False,
) -> Deck:
    """Write one linear static state.

    Parameters
    ----------
    path
        The ``.inp`` file.
    space
    bone
        Of each tet; equal ones share a material.
    force : (N, 3)
        Nodal forces, N.
    supports
        Fixed displacements, elastic layer and ligaments.
    membrane
        Cortex.
    gap
        What lies in the gap.
    tie
        Twin faces are one, as in the intact state.
    printed
        Ask for displacements, reactions, stress and energy in the ``.dat`` file too, which has more digits than
        the ``.frd`` file.

    Returns
    -------
    Deck
        Which number in the deck is which node.
    """
    node = _deck_nodes(space, tie)
    parts = {
        "gap": None if gap is None or tie or not gap.normal.size else gap_springs(space, gap),
        "layer": layer_springs(space, supports) if len(supports.foundation_faces) else None,
        "cortex": membrane_springs(space, membrane) if membrane is not None and len(membrane.faces) else None,
        "ligaments": ligament_springs(space, supports) if len(supports.spring_nodes) else None,
    }
    springs = {name: part for name, part in parts.items() if part is not None}
    auxiliary, following = {}, int(node.max()) + 1
    for name, part in springs.items():
        auxiliary[name] = np.arange(following, following + len(part.points))
        following += len(part.points)
    with path.open("w", encoding="ascii") as out:
        _heading(out)
        _bone(out, space, node, bone)
        next_element = len(space.mesh.tets) + 1
        for name, part in springs.items():
            next_element = _auxiliary(out, name.upper(), part, auxiliary[name], node, next_element)
        for axis in range(3 if springs else 0):
            if any(part.stiffness.shape[1] > axis for part in springs.values()):
                out.write(f"*SPRING, ELSET=SPRING{axis + 1}\n{axis + 1}\n1.\n")
        fixed = bool(supports.fixed.any())
        if fixed:
            held = np.unique(node[supports.fixed.any(axis=1)])
            out.write("*NSET, NSET=FIXED\n")
            out.writelines(_wrapped(map(str, held.tolist()), _ENTRIES))
        out.write("*STEP\n*STATIC\n")
        _held(out, node, supports)
        _loads(out, node, force)
        _requests(out, list(springs), fixed=fixed, printed=printed)
    return Deck(node, MappingProxyType(auxiliary), MappingProxyType(springs))


def _deck_nodes(space: Space, tie: bool) -> IntArray:
    """(N,) numbers from 1; twins share one where they are tied."""
    if not tie:
        return np.arange(1, space.n_nodes + 1)
    tied = Space(space.mesh.glued()[0], space.order)
    node = np.empty(space.n_nodes, np.int64)
    node[space.connectivity] = tied.connectivity + 1
    return node


def _heading(out: TextIO) -> None:
    out.write(
        "*HEADING\nsacrofem: mm, N, MPa\n"
        "** Auxiliary nodes carry gap, elastic layer, cortex and ligaments: *EQUATION ties their displacements to\n"
        "** sqrt(k) times jump, displacement, membrane strain or elongation at one integration point.\n"
    )


def _numbers(values: Iterable[float]) -> str:
    return ",".join(_NUMBER.format(value) for value in values)


def _wrapped(entries: Iterable[str], a_line: int) -> Iterator[str]:
    entries = list(entries)
    for start in range(0, len(entries), a_line):
        yield ",".join(entries[start : start + a_line]) + "\n"


def _nodes(out: TextIO, name: str, numbers: IntArray, points: FloatArray) -> None:
    out.write(f"*NODE, NSET={name}\n")
    out.writelines(f"{n},{_numbers(x)}\n" for n, x in zip(numbers.tolist(), points.tolist(), strict=True))


def _bone(out: TextIO, space: Space, node: IntArray, bone: Elasticity) -> None:
    numbers, first = np.unique(node, return_index=True)
    _nodes(out, "BONE", numbers, space.nodes[first])
    out.write(f"*ELEMENT, TYPE={'C3D10' if space.order == 2 else 'C3D4'}, ELSET=BONE\n")
    elements = node[space.connectivity].tolist()
    out.writelines(f"{e},{','.join(map(str, nodes))}\n" for e, nodes in enumerate(elements, 1))
    constants, group = np.unique(np.column_stack([bone.youngs, bone.poisson]), axis=0, return_inverse=True)
    members = np.split(np.argsort(group, kind="stable") + 1, np.cumsum(np.bincount(group.ravel()))[:-1])
    for number, ((modulus, nu), tets) in enumerate(zip(constants.tolist(), members, strict=True), 1):
        out.write(f"*ELSET, ELSET=M{number}\n")
        out.writelines(_wrapped(map(str, tets.tolist()), _ENTRIES))
        out.write(f"*MATERIAL, NAME=M{number}\n*ELASTIC\n{_numbers((modulus, nu))}\n")
        out.write(f"*SOLID SECTION, ELSET=M{number}, MATERIAL=M{number}\n")


def _auxiliary(out: TextIO, name: str, part: Springs, numbers: IntArray, node: IntArray, next_element: int) -> int:
    """Auxiliary nodes, their equations and springs; the number of the next element."""
    _nodes(out, name, numbers, part.points)
    rows = part.rows.multiply(np.sqrt(part.stiffness).reshape(-1, 1)).tocoo()
    # Numbered as in the deck, so that the terms of tied twins add up.
    shape = (part.rows.shape[0], 3 * int(node.max()))
    tied = csr_array((rows.data, (rows.row, 3 * (node[rows.col // 3] - 1) + rows.col % 3)), shape=shape)
    tied.sum_duplicates()
    out.write("*EQUATION\n")
    held: list[list[tuple[int, int]]] = [[], [], []]
    directions = part.stiffness.shape[1]
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
            f"{c // 3 + 1},{c % 3 + 1},{v:.12e}"
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


def _held(out: TextIO, node: IntArray, supports: Supports) -> None:
    where, axis = np.nonzero(supports.fixed)
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
