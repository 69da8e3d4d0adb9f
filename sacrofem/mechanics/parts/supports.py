"""Sacroiliac joints and ligaments: what holds the sacrum, and what each of them carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from scipy.spatial import cKDTree

from sacrofem.anatomy.solid import SIDES, Landmarks, Side
from sacrofem.errors import InputError
from sacrofem.mechanics.space.quadrature import triangle_rule
from sacrofem.mechanics.space.space import Space, layer_stiffness
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Supports:
    """Fixed displacements, elastic layers to fixed ground, and springs to fixed points.

    Attributes
    ----------
    fixed : (N, 3) bool
        Displacements held at zero.
    foundation_faces : (f,) int
        Boundary faces on an elastic layer.
    foundation_normal, foundation_tangent : (f,)
        Stiffness of the layer along and across the face normal, N/mm³.
    spring_nodes : (s,) int
    spring_directions : (s, 3)
        Unit vectors from the bone to the fixed end.
    spring_stiffness : (s,)
        N/mm.
    spring_ligament : (s,) int
        Which of ``ligaments`` each spring belongs to.
    ligaments : tuple of str
        Names such as ``"sacrospinous_left"``.
    """

    fixed: BoolArray
    foundation_faces: IntArray
    foundation_normal: FloatArray
    foundation_tangent: FloatArray
    spring_nodes: IntArray
    spring_directions: FloatArray
    spring_stiffness: FloatArray
    spring_ligament: IntArray
    ligaments: tuple[str, ...] = ()

    @classmethod
    def none(cls, space: Space) -> Supports:
        """Nothing held: to be filled with `dataclasses.replace`."""
        empty, index = np.zeros(0), np.zeros(0, dtype=np.int64)
        return cls(np.zeros((space.n_nodes, 3), dtype=bool), index, empty, empty, index, np.zeros((0, 3)), empty, index)


@dataclass(frozen=True)
class Joint:
    """Constants of the elastic sacroiliac joint.

    Attributes
    ----------
    modulus_mpa, poisson, thickness_mm : float
        The layer on the auricular faces: normal stiffness E'/t with the constrained modulus E',
        tangential stiffness G/t. Thickness: sacral cartilage 1.1-3.0 mm (musculoskeletalkey,
        chapter 3 [T]); ν = 0.4 (10.1186/s12891-021-04856-8 [T]).
    ligament_factor : float
        Share of the published ligament stiffnesses that acts at small motion.

    Notes
    -----
    Thickness and ν are published values; modulus and ligament factor were calibrated once on the
    intact female sacrum (``studies/14_supports``) against nutation and translation at 600 N
    (Bruna-Rosso 2016 [A]) and the anterior displacement of S1 at 981 N (four cadaver pelves [A]), before any
    fracture was computed. Both come out far below the tabulated 10 MPa and 1, with which the sacrum
    turns and glides several times less than measured: ligaments are tabulated taut but act slack at
    small motion, joints slide, and the ilia, here fixed ground, give.
    """

    modulus_mpa: float = 4.1
    poisson: float = 0.4
    thickness_mm: float = 2.0
    ligament_factor: float = 0.036

    @property
    def normal_stiffness(self) -> float:
        """E'/t of the layer, N/mm³."""
        return layer_stiffness(self.modulus_mpa, self.poisson, self.thickness_mm)[0]

    @property
    def tangential_stiffness(self) -> float:
        """G/t of the layer, N/mm³."""
        return layer_stiffness(self.modulus_mpa, self.poisson, self.thickness_mm)[1]


CALIBRATED_JOINT = Joint()


@dataclass(frozen=True)
class Ligament:
    """One ligament of one side.

    ``bone`` (3,) mm is where it leaves the sacrum (moved to the nearest surface), ``end`` (3,) mm
    its fixed end; ``stiffness`` is the published value in N/mm.
    """

    name: str
    side: Side
    bone: FloatArray
    end: FloatArray
    stiffness: float


LIGAMENT_STIFFNESS: Mapping[str, float] = MappingProxyType(
    {
        "anterior_sacroiliac": 700.0,
        "interosseous": 2800.0,
        "short_posterior_sacroiliac": 400.0,
        "long_posterior_sacroiliac": 1000.0,
        "sacrospinous": 1400.0,
        "sacrotuberous": 1500.0,
        "iliolumbar": 1000.0,
    }
)
"""N/mm, taken per ligament and side (table 1 of 10.1186/s12891-021-04856-8 [T], which does not say)."""

# Bony points of the left hip bone, read off the Visible Human male (Remus 2021) and scaled by 0.9 to the length of a
# female sacrum [D]: x from the midplane, y and z from a landmark of the sacrum that lies at the same level.
_ISCHIAL_SPINE_FROM_S5 = np.array([46.0, -38.0, 4.0])
_ISCHIAL_TUBEROSITY_FROM_S5 = np.array([52.0, -33.0, -32.0])
_POSTERIOR_ILIAC_SPINE_FROM_JOINT = np.array([36.0, 27.0, 5.0])
_ILIAC_CREST_FROM_JOINT = np.array([62.0, 15.0, 42.0])
# Length of the short ligaments between the facing surfaces of sacrum and ilium, mm [K].
_SHORT = 15.0
_PATCH_RADIUS = 8.0


def ligaments(landmarks: Landmarks, side: Side) -> tuple[Ligament, ...]:
    """The seven ligaments of one side, placed by the landmarks of the sacrum.

    Of the iliolumbar ligament only the band to the ala is there, as L5 is not modelled.
    """
    mirror = np.array([1.0 if side == "left" else -1.0, 1.0, 1.0])
    face = landmarks.auricular[side]
    origin, normal = np.asarray(face.centre), np.asarray(face.normal) / np.linalg.norm(face.normal)
    up = np.array([0.0, 0.0, 1.0]) - normal[2] * normal
    up /= np.linalg.norm(up)
    back = np.array([0.0, 1.0, 0.0]) - normal[1] * normal
    back -= (back @ up) * up
    back /= np.linalg.norm(back)
    s1, s2, s3, s4, s5 = np.asarray(landmarks.levels, dtype=float)
    sagittal = np.array([0.0, 1.0, 1.0])
    ischial_spine = sagittal * s5 + mirror * _ISCHIAL_SPINE_FROM_S5
    tuberosity = sagittal * s5 + mirror * _ISCHIAL_TUBEROSITY_FROM_S5
    spine = sagittal * origin + mirror * _POSTERIOR_ILIAC_SPINE_FROM_JOINT
    crest = sagittal * origin + mirror * _ILIAC_CREST_FROM_JOINT
    high, wide = 0.5 * face.height_mm, 0.5 * face.width_mm
    lateral = abs(float(origin[0] - landmarks.endplate_centre[0]))

    def out(share: float, dy: float, dz: float) -> FloatArray:
        return np.asarray(mirror * np.array([share * lateral, dy, dz]))

    front, rear = origin - wide * back + 0.3 * high * up, origin + (wide + 5.0) * back + 0.3 * high * up
    top = origin + high * up - 0.2 * lateral * np.array([mirror[0], 0.0, 0.0])
    places = {
        "anterior_sacroiliac": (front, front + _SHORT * normal),
        "interosseous": (rear, rear + _SHORT * (normal + 0.4 * back + 0.4 * up) / np.sqrt(1.32)),
        "short_posterior_sacroiliac": (0.5 * (s1 + s2) + out(0.5, 30.0, 0.0), spine),
        "long_posterior_sacroiliac": (0.5 * (s3 + s4) + out(0.5, 15.0, 0.0), spine),
        "sacrospinous": (0.5 * (s4 + s5) + out(0.4, 0.0, 0.0), ischial_spine),
        "sacrotuberous": (s4 + out(0.45, 5.0, 0.0), tuberosity),
        "iliolumbar": (top, crest),
    }
    return tuple(Ligament(name, side, *places[name], stiffness=k) for name, k in LIGAMENT_STIFFNESS.items())


def elastic_supports(
    space: Space,
    landmarks: Landmarks,
    *,
    joint: Joint = CALIBRATED_JOINT,
    with_ligaments: bool = True,
    free_side: Side | None = None,
) -> Supports:
    """Auricular faces on an elastic layer, with ligaments.

    Parameters
    ----------
    space
    landmarks
    joint
        Constants of layer and ligaments.
    with_ligaments
        Whether the ligaments are there at all.
    free_side
        The swing side of a one-legged stance: neither its layer nor its ligaments carry anything.

    Raises
    ------
    InputError
        No auricular face is left to hold the sacrum.
    """
    sides = _held_sides(space, free_side)
    faces = np.concatenate([np.flatnonzero(space.mesh.face_sets[f"auricular_{side}"]) for side in sides])
    result = replace(
        Supports.none(space),
        foundation_faces=faces,
        foundation_normal=np.full(len(faces), joint.normal_stiffness),
        foundation_tangent=np.full(len(faces), joint.tangential_stiffness),
    )
    if not with_ligaments:
        return result
    bands = [ligament for side in sides for ligament in ligaments(landmarks, side)]
    return _with_ligaments(space, result, bands, joint.ligament_factor)


def fixed_supports(space: Space, *, free_side: Side | None = None) -> Supports:
    """Auricular faces held rigidly, as Whitlow 2007 [T] did; no ligament.

    Raises
    ------
    InputError
        No auricular face is left to hold the sacrum.
    """
    fixed = np.zeros((space.n_nodes, 3), dtype=bool)
    for side in _held_sides(space, free_side):
        fixed[space.face_nodes[space.mesh.face_sets[f"auricular_{side}"]]] = True
    return replace(Supports.none(space), fixed=fixed)


def supported_faces(space: Space, supports: Supports) -> IntArray:
    """(f,) boundary faces on an elastic layer or held at all their nodes."""
    node_held: BoolArray = supports.fixed[:, 0] | supports.fixed[:, 1] | supports.fixed[:, 2]
    held = np.logical_and.reduce(node_held[space.face_nodes], axis=1)
    held[supports.foundation_faces] = True
    return np.flatnonzero(held)


def _held_sides(space: Space, free_side: Side | None) -> list[Side]:
    sides = [
        side
        for side in SIDES
        if side != free_side and np.any(space.mesh.face_sets.get(f"auricular_{side}", np.zeros(1, dtype=bool)))
    ]
    if not sides:
        raise InputError(
            "no auricular face holds the sacrum",
            field="supports",
            value=None if free_side is None else f"{free_side} side free",
            mend="name faces auricular_left or auricular_right, or free the other side",
        )
    return sides


def _with_ligaments(space: Space, supports: Supports, bands: Sequence[Ligament], factor: float) -> Supports:
    outer = np.flatnonzero(space.mesh.face_sets.get("outer", space.mesh.pair_side == 0))
    triangles = space.mesh.faces[outer]
    area = np.zeros(len(space.mesh.points))
    np.add.at(area, triangles, np.repeat(space.mesh.face_areas[outer][:, None] / 3.0, 3, axis=1))
    surface = np.flatnonzero(area)
    inside = np.einsum("qc,fcx->fqx", triangle_rule()[0], space.mesh.points[triangles]).reshape(-1, 3)
    samples = np.concatenate([space.mesh.points[surface], inside])
    near_samples, tree = cKDTree(samples), cKDTree(space.mesh.points[surface])
    nodes, directions, stiffness, owner = [], [], [], []
    for number, band in enumerate(bands):
        foot = samples[near_samples.query(band.bone)[1]]
        near = np.array(tree.query_ball_point(foot, _PATCH_RADIUS), dtype=np.int64)
        if len(near) < 3:
            near = np.atleast_1d(tree.query(foot, k=min(3, len(surface)))[1])
        patch = surface[np.sort(near)]
        distance = np.linalg.norm(space.mesh.points[patch] - foot, axis=1)
        reach = max(_PATCH_RADIUS, 1.5 * float(distance.max()))
        weight = area[patch] * (1.0 - (distance / reach) ** 2) ** 2
        line = band.end - foot
        nodes.append(patch)
        directions.append(np.tile(line / np.linalg.norm(line), (len(patch), 1)))
        stiffness.append(factor * band.stiffness * weight / weight.sum())
        owner.append(np.full(len(patch), number))
    return replace(
        supports,
        spring_nodes=np.concatenate(nodes),
        spring_directions=np.concatenate(directions),
        spring_stiffness=np.concatenate(stiffness),
        spring_ligament=np.concatenate(owner),
        ligaments=tuple(f"{band.name}_{band.side}" for band in bands),
    )


@dataclass(frozen=True, eq=False)
class Reactions:
    """What each support puts on the sacrum.

    Attributes
    ----------
    forces, moments : mapping of str to (3,)
        N, and N·mm about the origin, by ``"joint_left"``, ``"joint_right"`` (layer and fixed nodes)
        and the name of each ligament; ``"form_"`` before the name of a part in forms of the user's own.
    """

    forces: Mapping[str, FloatArray]
    moments: Mapping[str, FloatArray]

    @property
    def force(self) -> FloatArray:
        """(3,) sum of all, N."""
        return np.asarray(np.sum(list(self.forces.values()), axis=0))

    @property
    def moment(self) -> FloatArray:
        """(3,) sum of all about the origin, N·mm."""
        return np.asarray(np.sum(list(self.moments.values()), axis=0))

    def shares(self, applied: FloatArray) -> dict[str, float]:
        """Parts of an applied force (3,) N, along it: ``left``, ``right`` joint and ``ligaments``.

        They sum to 1 where no form of the user's own carries anything.
        """
        along = -np.asarray(applied, dtype=float) / float(np.dot(applied, applied))
        ligaments = [force for name, force in self.forces.items() if not name.startswith(("joint_", "form_"))]
        return {
            "left": float(self.forces["joint_left"] @ along),
            "right": float(self.forces["joint_right"] @ along),
            "ligaments": float(sum(force @ along for force in ligaments)),
        }

    def with_form(self, name: str, points: FloatArray, forces: FloatArray) -> Reactions:
        """The same with nodal forces (N, 3) that a part in forms of the user's own puts on points (N, 3)."""
        key = f"form_{name}"
        return Reactions(
            MappingProxyType({**self.forces, key: forces.sum(axis=0)}),
            MappingProxyType({**self.moments, key: np.cross(points, forces).sum(axis=0)}),
        )


def reactions(
    space: Space, supports: Supports, displacement: FloatArray, nodal_reactions: FloatArray | None = None
) -> Reactions:
    """Forces of layer, ligaments and fixed nodes on the sacrum.

    Parameters
    ----------
    space, supports
    displacement : (N, 3)
        mm.
    nodal_reactions : (N, 3), optional
        Stiffness without constraints times displacement, less the applied forces: needed where
        nodes are fixed, read only there.

    Raises
    ------
    ValueError
        Nodes are fixed and their reactions are not given.
    """
    forces = {f"joint_{side}": np.zeros(3) for side in SIDES}
    moments = {f"joint_{side}": np.zeros(3) for side in SIDES}
    mesh = space.mesh

    def add(name: str, points: FloatArray, force: FloatArray) -> None:
        forces[name] = forces.get(name, np.zeros(3)) + force.sum(axis=0)
        moments[name] = moments.get(name, np.zeros(3)) + np.cross(points, force).sum(axis=0)

    if len(supports.foundation_faces):
        barycentric, weights = triangle_rule()
        faces = supports.foundation_faces
        u = np.einsum("qa,fax->fqx", space.face_shape(barycentric), displacement[space.face_nodes[faces]])
        normal = mesh.face_normals[faces][:, None]
        along = np.einsum("fqx,fqx->fq", u, np.broadcast_to(normal, u.shape))[..., None] * normal
        k_n, k_t = supports.foundation_normal[:, None, None], supports.foundation_tangent[:, None, None]
        area = mesh.face_areas[faces][:, None] * weights
        force = -(k_n * along + k_t * (u - along)) * area[..., None]
        points = np.einsum("qc,fcx->fqx", barycentric, mesh.points[mesh.faces[faces]])
        left = _left(space, mesh.points[mesh.faces[faces]].mean(axis=1), faces)
        for side, mine in (("left", left), ("right", ~left)):
            add(f"joint_{side}", points[mine].reshape(-1, 3), force[mine].reshape(-1, 3))

    elongation = np.einsum("sx,sx->s", supports.spring_directions, displacement[supports.spring_nodes])
    pull = -(supports.spring_stiffness * elongation)[:, None] * supports.spring_directions
    for number, name in enumerate(supports.ligaments):
        mine = supports.spring_ligament == number
        add(name, space.nodes[supports.spring_nodes[mine]], pull[mine])

    if supports.fixed.any():
        if nodal_reactions is None:
            raise ValueError("fixed nodes: give nodal_reactions = stiffness times displacement less applied forces")
        held = np.where(supports.fixed, nodal_reactions, 0.0)
        nodes = np.flatnonzero(supports.fixed.any(axis=1))
        on_left = np.zeros(space.n_nodes, dtype=bool)
        members = mesh.face_sets.get("auricular_left")
        if members is None:
            on_left = space.nodes[:, 0] > 0
        else:
            on_left[space.face_nodes[members]] = True
        for side, chosen in (("left", nodes[on_left[nodes]]), ("right", nodes[~on_left[nodes]])):
            add(f"joint_{side}", space.nodes[chosen], held[chosen])
    return Reactions(MappingProxyType(forces), MappingProxyType(moments))


def _left(space: Space, centres: FloatArray, faces: IntArray) -> BoolArray:
    members = space.mesh.face_sets.get("auricular_left")
    return np.asarray(centres[:, 0] > 0 if members is None else members[faces])
