"""A solved state written as an input file of FEBio 4 (``febio_spec`` 4.0), close to ours and not the same.

FEBio has no springs between faces and no membrane, so that here they are elements:

- gap and elastic layers are thin layers of wedges (penta6, penta15) of `LAYER_MM`: stiffness k_n, k_t in N/mm³ is that
  of a layer of thickness t with E' = k_n t and G = k_t t. Faces of the gap are moved apart by t, and stiffness is
  the mean over each face, where ours varies within it; wedges at a front have collapsed edges;
- the cortex is shells, which bend, where ours is a membrane;
- ligaments are linear springs to fixed points 50 mm away;
- ``isotropic elastic`` of FEBio is finite strain, the same as ours at the strains of a small load.

The file says so in its comments. Node order of tet10, penta15 and tri6 is that of VTK and Abaqus.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, TypeVar
from xml.sax.saxutils import escape

import numpy as np

from sacrofem.errors import InputError
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.cortex import Membrane
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.mechanics.parts.joint import ElasticLayer
from sacrofem.mechanics.parts.ligaments import Ligaments
from sacrofem.mechanics.parts.part import Part, total_fixed, total_force
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray

#: Thickness of the wedges of gap and elastic layers, mm: thin against every element, and far above rounding.
LAYER_MM = 0.1
# Springs keep their direction where the bone moves little against their length.
_SPRING_MM = 50.0
# A layer of less resistance across than along would need a Poisson's ratio of more.
_MOST_POISSON = 0.49
# What there are elements of FEBio for.
_WRITTEN = (Membrane, GapStiffness, ElasticLayer, Ligaments)
_Kind = TypeVar("_Kind", bound=Part)


@dataclass(frozen=True, eq=False)
class Layer:
    """Wedges between faces: (w, 6 or 15) nodes from 0, and modulus (MPa) and Poisson's ratio of each."""

    nodes: IntArray
    youngs: FloatArray
    poisson: FloatArray


@dataclass(frozen=True, eq=False)
class Febio:
    """What a file holds, all numbered from 0 here and from 1 in the file.

    Attributes
    ----------
    nodes : (n, 3)
        mm; those of the space come first, the faces of the gap moved apart.
    layers : mapping of str to Layer
    held : (h,) int
        Nodes at the far side of elastic layers and springs.
    springs : (s, 2) int
    """

    nodes: FloatArray
    layers: dict[str, Layer]
    held: IntArray
    springs: IntArray


def layer_moduli(k_n: FloatArray, k_t: FloatArray, thickness_mm: float = LAYER_MM) -> tuple[FloatArray, FloatArray]:
    """Modulus (MPa) and Poisson's ratio of a layer that resists as k_n and k_t (N/mm³) do; k_n is kept in any case."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(k_t > 0.0, k_n / k_t, np.inf)
        # E'/G = 2 (1-ν) / (1-2ν).
        poisson = np.clip(np.where(np.isinf(ratio), _MOST_POISSON, (ratio - 2.0) / (2.0 * (ratio - 1.0))), 0.0, 0.49)
    constrained = k_n * thickness_mm
    return constrained * (1.0 + poisson) * (1.0 - 2.0 * poisson) / (1.0 - poisson), poisson


def febio_model(space: Space, parts: Iterable[Part]) -> Febio:
    """Nodes, wedges and springs of a state; see `write_febio` for the arguments."""
    nodes = space.nodes.copy()
    layers: dict[str, Layer] = {}
    more: list[FloatArray] = []
    count = space.n_nodes
    held: list[IntArray] = []
    gap, bed, bands = _only(parts, GapStiffness), _only(parts, ElasticLayer), _only(parts, Ligaments)
    if gap is not None and gap.normal.size:
        plus, minus = space.mesh.paired
        upper, lower = space.face_nodes[plus], space.face_nodes[minus]
        normals = space.mesh.face_normals[minus]
        for faces, sign in ((lower, -0.5), (upper, 0.5)):
            away, touched = _mean_normals(faces, normals, space.n_nodes)
            # A node of the front belongs to both sides and stays.
            own = touched & ~np.isin(np.arange(space.n_nodes), np.intersect1d(lower, upper))
            nodes[own] += sign * LAYER_MM * away[own]
        weights = space.gap.areas / space.gap.areas.sum(axis=1, keepdims=True)
        youngs, poisson = layer_moduli((gap.normal * weights).sum(axis=1), (gap.tangential * weights).sum(axis=1))
        solid = youngs > 0.0
        wedges, middles = _wedges(lower[solid], upper[solid], nodes, count)
        more.append(middles)
        count += len(middles)
        layers["gap"] = Layer(wedges, youngs[solid], poisson[solid])
    if bed is not None and len(faces := bed.faces):
        inner = space.face_nodes[faces]
        away, touched = _mean_normals(inner, space.mesh.face_normals[faces], space.n_nodes)
        number = np.full(space.n_nodes, -1)
        number[touched] = count + np.arange(np.count_nonzero(touched))
        outer = nodes[touched] + LAYER_MM * away[touched]
        more.append(outer)
        count += len(outer)
        wedges, middles = _wedges(inner, number[inner], np.concatenate([nodes, *more]), count)
        more.append(middles)
        count += len(middles)
        youngs, poisson = layer_moduli(bed.normal, bed.tangential)
        layers["layer"] = Layer(wedges, youngs, poisson)
        held.append(number[touched])
    springs = np.zeros((0, 2), np.int64)
    if bands is not None:
        more.append(nodes[bands.nodes] + _SPRING_MM * bands.directions)
        ends = count + np.arange(len(bands.nodes))
        held.append(ends)
        springs = np.column_stack([bands.nodes, ends]).astype(np.int64)
    fixed = np.concatenate(held).astype(np.int64) if held else np.zeros(0, np.int64)
    return Febio(np.concatenate([nodes, *more]), layers, fixed, springs)


def _only(parts: Iterable[Part], kind: type[_Kind]) -> _Kind | None:
    """The part of a kind, of which a file has at most one."""
    found = [part for part in parts if isinstance(part, kind)]
    if len(found) > 1:
        raise InputError("an FEBio file has one of these at most", field="parts", value=found[1].name, mend="join them")
    return found[0] if found else None


def _mean_normals(faces: IntArray, normals: FloatArray, n: int) -> tuple[FloatArray, BoolArray]:
    """(n, 3) unit mean of the normals of the faces at each node, and which nodes have some."""
    summed = np.zeros((n, 3))
    np.add.at(summed, faces, normals[:, None, :])
    length = np.linalg.norm(summed, axis=1)
    touched = np.zeros(n, bool)
    touched[faces] = True
    # Across a fold offsets grow, so that the layer keeps its thickness; at a sharp one they stay bounded.
    unit = summed / np.maximum(length, 1e-12)[:, None]
    cosine = np.ones(n)
    np.minimum.at(cosine, faces, np.einsum("fax,fx->fa", unit[faces], normals))
    return unit / np.maximum(cosine, 0.5)[:, None], touched


def _wedges(lower: IntArray, upper: IntArray, nodes: FloatArray, count: int) -> tuple[IntArray, FloatArray]:
    """Wedges from triangles (3 or 6 nodes) to their twins, and their new middles, numbered from ``count``."""
    if lower.shape[1] == 3:
        return np.concatenate([lower, upper], axis=1), np.zeros((0, 3))
    pairs = np.stack([lower[:, :3], upper[:, :3]], axis=2)
    unique, number = np.unique(pairs.reshape(-1, 2), axis=0, return_inverse=True)
    same = unique[:, 0] == unique[:, 1]
    label = np.where(same, unique[:, 0], count + np.cumsum(~same) - 1)
    vertical = label[number].reshape(-1, 3)
    order = [lower[:, :3], upper[:, :3], lower[:, 3:], upper[:, 3:], vertical]
    return np.concatenate(order, axis=1), nodes[unique[~same]].mean(axis=1)


# ------------------------------------------------------------------ writing
def write_febio(
    path: Path,
    space: Space,
    bone: Elasticity,
    parts: Iterable[Part],
) -> Febio:
    """Write one static state in one step.

    Parameters
    ----------
    path
        The ``.feb`` file.
    space, bone, parts
        As of `sacrofem.mechanics.decks.calculix.write_calculix`.

    Returns
    -------
    Febio
        What was added to the nodes of the space.

    Raises
    ------
    InputError
        A part has no elements of FEBio, or there are two of a kind.
    """
    parts = tuple(parts)
    for part in parts:
        if not isinstance(part, _WRITTEN) and any(True for _ in part.elements(space)):
            raise InputError(
                "an FEBio file has no elements for it", field="parts", value=part.name, mend="leave it out"
            )
    model, force, fixed = febio_model(space, parts), total_force(parts, space), total_fixed(parts, space)
    with path.open("w", encoding="utf-8") as out:
        out.write('<?xml version="1.0" encoding="UTF-8"?>\n<febio_spec version="4.0">\n')
        for line in (__doc__ or "").split("\n\n", 1)[1].splitlines():
            out.write(f"<!-- {line.replace('--', '-').strip()} -->\n" if line.strip() else "")
        out.write(f"<!-- mm, N, MPa; LAYER_MM = {LAYER_MM:g} -->\n")
        out.write(
            '<Module type="solid"/>\n<Control><analysis>STATIC</analysis><time_steps>1</time_steps>'
            '<step_size>1</step_size><solver type="solid"><symmetric_stiffness>symmetric</symmetric_stiffness>'
            "</solver></Control>\n"
        )
        solids = {"bone": Layer(space.connectivity, bone.youngs, bone.poisson), **model.layers}
        shells = _shells(space, _only(parts, Membrane))
        _materials(out, solids, shells)
        loaded = np.flatnonzero(force.any(axis=1))
        _mesh(out, model, solids, shells, fixed, loaded)
        _domains(out, solids, shells)
        _mesh_data(out, solids, force[loaded])
        _conditions(out, model, fixed, _only(parts, Ligaments), loaded)
        out.write(
            '<LoadData><load_controller id="1" name="LC1" type="loadcurve"><interpolate>LINEAR</interpolate>'
            "<points><pt>0,0</pt><pt>1,1</pt></points></load_controller></LoadData>\n"
            '<Output><plotfile type="febio"><var type="displacement"/><var type="stress"/></plotfile>'
            '<logfile><node_data data="ux;uy;uz" file="displacement.txt" delim=","/></logfile></Output>\n'
            "</febio_spec>\n"
        )
    return model


def _shells(space: Space, membrane: Membrane | None) -> list[tuple[float, float, float, IntArray]]:
    """Modulus, ratio, thickness and face nodes of each kind of cortex."""
    if membrane is None or not len(membrane.faces):
        return []
    faces = membrane.faces
    kinds = np.column_stack([membrane.youngs[faces], membrane.thickness[faces]])
    unique, number = np.unique(kinds, axis=0, return_inverse=True)
    nodes = space.face_nodes[faces]
    return [
        (float(e), membrane.poisson, float(t), nodes[number.ravel() == i]) for i, (e, t) in enumerate(unique.tolist())
    ]


def _materials(out: TextIO, parts: dict[str, Layer], shells: list[tuple[float, float, float, IntArray]]) -> None:
    out.write("<Material>\n")
    for number, (name, part) in enumerate(parts.items(), 1):
        out.write(f'<material id="{number}" name="{name}" type="isotropic elastic"><density>1</density>')
        for tag, values in (("E", part.youngs), ("v", part.poisson)):
            text = f"<{tag}>{values[0]:.12g}</{tag}>" if _uniform(values) else f'<{tag} type="map">{name}_{tag}</{tag}>'
            out.write(text)
        out.write("</material>\n")
    for number, (modulus, nu, _, _) in enumerate(shells, 1):
        out.write(
            f'<material id="{len(parts) + number}" name="cortex{number}" type="isotropic elastic"><density>1</density>'
            f"<E>{modulus:.12g}</E><v>{nu:.12g}</v></material>\n"
        )
    out.write("</Material>\n")


def _uniform(values: FloatArray) -> bool:
    return bool(np.ptp(values) == 0.0) if len(values) else True


def _lines(tag: str, attribute: str, rows: IntArray | FloatArray, first: int, form: str) -> Iterator[str]:
    for number, row in enumerate(rows.tolist(), first):
        yield f'<{tag} {attribute}="{number}">{",".join(format(value, form) for value in row)}</{tag}>\n'


def _mesh(
    out: TextIO,
    model: Febio,
    parts: dict[str, Layer],
    shells: list[tuple[float, float, float, IntArray]],
    held: BoolArray,
    loaded: IntArray,
) -> None:
    out.write('<Mesh>\n<Nodes name="all">\n')
    out.writelines(_lines("node", "id", model.nodes, 1, ".12g"))
    out.write("</Nodes>\n")
    kinds = {4: "tet4", 10: "tet10", 6: "penta6", 15: "penta15"}
    element, sets = 1, []
    for name, part in parts.items():
        out.write(f'<Elements type="{kinds[part.nodes.shape[1]]}" name="{name}">\n')
        out.writelines(_lines("elem", "id", part.nodes + 1, element, "d"))
        out.write("</Elements>\n")
        sets.append((f"{name}_elements", np.arange(element, element + len(part.nodes))))
        element += len(part.nodes)
    for number, (_, _, _, nodes) in enumerate(shells, 1):
        out.write(f'<Elements type="tri{nodes.shape[1]}" name="cortex{number}">\n')
        out.writelines(_lines("elem", "id", nodes + 1, element, "d"))
        out.write("</Elements>\n")
        element += len(nodes)
    fixed = [(f"fixed_{axis}", np.flatnonzero(held[:, i]) + 1) for i, axis in enumerate("xyz")]
    for name, numbers in (*fixed, ("held", model.held + 1), ("loaded", loaded + 1)):
        if len(numbers):
            out.write(f'<NodeSet name="{name}">{",".join(map(str, numbers.tolist()))}</NodeSet>\n')
    for name, numbers in sets:
        out.write(f'<ElementSet name="{name}">{",".join(map(str, numbers.tolist()))}</ElementSet>\n')
    for number, (a, b) in enumerate((model.springs + 1).tolist(), 1):
        out.write(f'<DiscreteSet name="ligament{number}"><delem>{a},{b}</delem></DiscreteSet>\n')
    out.write("</Mesh>\n")


def _domains(out: TextIO, parts: dict[str, Layer], shells: list[tuple[float, float, float, IntArray]]) -> None:
    out.write("<MeshDomains>\n")
    out.writelines(f'<SolidDomain name="{name}" mat="{name}"/>\n' for name in parts)
    for number, (_, _, thickness, _) in enumerate(shells, 1):
        out.write(
            f'<ShellDomain name="cortex{number}" mat="cortex{number}" type="elastic-shell">'
            f"<shell_thickness>{thickness:.12g}</shell_thickness></ShellDomain>\n"
        )
    out.write("</MeshDomains>\n")


def _mesh_data(out: TextIO, parts: dict[str, Layer], force: FloatArray) -> None:
    out.write("<MeshData>\n")
    if len(force):
        out.write('<NodeData name="force" node_set="loaded" data_type="vec3">\n')
        out.writelines(_lines("node", "lid", force, 1, ".12g"))
        out.write("</NodeData>\n")
    for name, part in parts.items():
        for tag, values in (("E", part.youngs), ("v", part.poisson)):
            if not _uniform(values):
                out.write(f'<ElementData name="{name}_{tag}" elem_set="{name}_elements" data_type="scalar">\n')
                out.writelines(_lines("e", "lid", values[:, None], 1, ".12g"))
                out.write("</ElementData>\n")
    out.write("</MeshData>\n")


def _conditions(out: TextIO, model: Febio, held: BoolArray, bands: Ligaments | None, loaded: IntArray) -> None:
    out.write("<Boundary>\n")
    for i, axis in enumerate("xyz"):
        if held[:, i].any():
            dofs = "".join(f"<{a}_dof>{int(a == axis)}</{a}_dof>" for a in "xyz")
            out.write(f'<bc name="fixed_{axis}" node_set="fixed_{axis}" type="zero displacement">{dofs}</bc>\n')
    if len(model.held):
        dofs = "".join(f"<{a}_dof>1</{a}_dof>" for a in "xyz")
        out.write(f'<bc name="held" node_set="held" type="zero displacement">{dofs}</bc>\n')
    out.write("</Boundary>\n")
    if len(loaded):
        out.write(
            '<Loads><nodal_load name="force" node_set="loaded" type="nodal_force">'
            '<value lc="1" type="map">force</value></nodal_load></Loads>\n'
        )
    if bands is not None and len(bands.nodes):
        out.write("<Discrete>\n")
        owner = np.zeros(len(bands.nodes), int) if bands.owner is None else bands.owner
        for number, (stiffness, which) in enumerate(zip(bands.stiffness.tolist(), owner.tolist(), strict=True), 1):
            name = bands.names[which]
            out.write(
                f"<!-- {escape(name)} -->"
                f'<discrete_material id="{number}" name="ligament{number}" type="linear spring"><E>{stiffness:.12g}</E>'
                f'</discrete_material><discrete dmat="{number}" discrete_set="ligament{number}"/>\n'
            )
        out.write("</Discrete>\n")
