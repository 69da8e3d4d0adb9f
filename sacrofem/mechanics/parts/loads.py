"""Loads on the S1 endplate: named kinds, their resultant, and consistent nodal forces.

A load is a force (N), the angle it makes with the endplate normal, a point and a moment. The
normal is fixed in the bone; the frame of the body is such that a force turned by the sacral slope
is vertical (-z).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from sacrofem.anatomy.solid import SIDES, Landmarks, Side
from sacrofem.errors import InputError
from sacrofem.mechanics.parts.part import Part
from sacrofem.mechanics.space.quadrature import triangle_rule
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import FloatArray, IntArray

DEFAULT_SLOPE_DEG = 40.0
"""Sacral slope of the built-in anatomy: 24-55 deg at mean +- 2 SD (Mac-Thiong 2011 [A])."""
# Where superior articular processes are looked for, and how much of one bears the facet above it [D].
_HALF_DEPTH_MM, _MOST_ASIDE_MM, _FACET_RADIUS_MM, _LEAST_FACES = 10.0, 40.0, 8.0, 3
# A pure moment with which spines are tested in laboratories [K].
_LABORATORY_NMM = 7500.0


@dataclass(frozen=True)
class Load:
    """A load kind, or a load of the user's own.

    Attributes
    ----------
    kind : str
    force_n : float
        Magnitude of the force, N.
    angle_deg : float or None
        Angle between the force and the inward endplate normal in the sagittal plane; positive
        turns the force anteriorly along the endplate. None: the sacral slope, so that the force is
        vertical.
    point_mm : tuple of 3 floats or None
        Where the force acts, anatomical frame. None: the centre of the S1 endplate.
    moment_nmm : tuple of 3 floats
        Moment about that point in addition to the force, N·mm.
    vector_n : tuple of 3 floats or None
        The force itself, anatomical frame, in place of magnitude and angle.
    one_legged : bool
        The joint of the swing side carries nothing.
    source : str
        Where the numbers come from, with the marks of docs/theory/sources.md.
    """

    kind: str
    force_n: float
    angle_deg: float | None = None
    point_mm: tuple[float, float, float] | None = None
    moment_nmm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    vector_n: tuple[float, float, float] | None = None
    one_legged: bool = False
    source: str = ""


LOADS: Mapping[str, Load] = MappingProxyType(
    {
        load.kind: load
        for load in (
            Load(
                "standing",
                700.0,
                source="0.7-1.0 body weights on L5/S1 with muscle, about 500-700 N [K]; "
                "finite-element studies use 600 N (Hammer 2013 [A]) to 750 N [A]; vertical",
            ),
            Load(
                "standing-muscle",
                700.0,
                angle_deg=15.0,
                source="as standing, but the resultant of gravity and muscle lies within about 15 deg of the "
                "endplate normal: shear of 29-75 % beside 90-190 % of body weight axially at L4-L5 (PMC8170092 [T])",
            ),
            Load(
                "walking",
                1250.0,
                angle_deg=15.0,
                source="middle of the peaks of 1.0-2.5 body weights in level walking (Cappozzo 1984 [A]) "
                "for 72.5 kg (Waites 2007 [D]); direction as standing-muscle [K]",
            ),
            Load(
                "sitting",
                640.0,
                angle_deg=20.0,
                source="disc pressure 0.46 against 0.50 MPa standing (Wilke 1999 [K]) times 700 N; "
                "the pelvis turned back by 20 deg [K]",
            ),
            Load(
                "one-legged",
                343.0,
                one_legged=True,
                source="35 kg, about half of body weight, on S1 (Whitlow 2007 [T]); vertical, swing-side joint free",
            ),
            Load(
                "lateral-bending",
                970.0,
                angle_deg=15.0,
                moment_nmm=(0.0, _LABORATORY_NMM, 0.0),
                source="136-137 % of body weight at L4-L5, bent aside by 20 deg (PMC8170092 [T]), for 72.5 kg "
                "(Waites 2007 [D]); direction as standing-muscle [K]; 7.5 N m to the left, as spines are tested [K]",
            ),
            Load(
                "torsion",
                785.0,
                angle_deg=15.0,
                moment_nmm=(0.0, 0.0, _LABORATORY_NMM),
                source="middle of 95-126 % of body weight at L4-L5, turned by 15 deg (PMC8170092 [T]), for 72.5 kg "
                "(Waites 2007 [D]); direction as standing-muscle [K]; 7.5 N m to the left, as spines are tested [K]",
            ),
            Load("free", 0.0, source="given by the user"),
        )
    }
)
"""Every load kind by name."""


def load(
    kind: str = "standing",
    *,
    force_n: float | None = None,
    angle_deg: float | None = None,
    point_mm: tuple[float, float, float] | None = None,
    moment_nmm: tuple[float, float, float] | None = None,
    vector_n: tuple[float, float, float] | None = None,
) -> Load:
    """A load kind with some of its numbers replaced.

    Raises
    ------
    InputError
        Unknown kind, numbers that are not finite, or a load that is nothing.
    """
    if kind not in LOADS:
        raise InputError("unknown load", field="load.kind", value=kind, mend=f"give one of {', '.join(LOADS)}")
    if vector_n is not None:
        force_n = float(np.linalg.norm(vector_n))
    given = {
        "force_n": force_n, "angle_deg": angle_deg, "point_mm": point_mm, "moment_nmm": moment_nmm,
        "vector_n": vector_n,
    }  # fmt: skip
    changes = {name: value for name, value in given.items() if value is not None}
    for name, value in changes.items():
        if not np.isfinite(np.asarray(value, dtype=float)).all():
            raise InputError("is not finite", field=f"load.{name}", value=value, mend="give finite numbers")
    result = replace(LOADS[kind], **changes)  # type: ignore[arg-type]
    if result.force_n < 0:
        raise InputError("negative force", field="load.force_n", value=result.force_n, mend="turn it by angle_deg")
    if result.force_n == 0 and not any(result.moment_nmm):
        raise InputError("the load is zero", field="load.force_n", value=0.0, mend="give a force or a moment")
    return result


@dataclass(frozen=True, eq=False)
class Resultant:
    """Force (3,) N through a point (3,) mm, and a moment (3,) N·mm about that point."""

    force: FloatArray
    point: FloatArray
    moment: FloatArray

    @property
    def magnitude(self) -> float:
        """Length of the force, N."""
        return float(np.linalg.norm(self.force))

    @property
    def direction(self) -> FloatArray:
        """(3,) unit vector along the force; zero where there is a moment only."""
        return self.force / self.magnitude if self.magnitude > 0 else np.zeros(3)


def load_direction(normal: ArrayLike, angle_deg: float) -> FloatArray:
    """(3,) unit force: the inward endplate normal turned about x by the angle.

    For the normal (0, -sin s, cos s) and the angle s it is (0, 0, -1) exactly.
    """
    y, z = (float(c) for c in np.asarray(normal, dtype=float)[1:])
    slope, angle = math.atan2(-y, z), math.radians(angle_deg)
    length = math.hypot(y, z)
    x = -float(np.asarray(normal, dtype=float)[0])
    difference = slope - angle if abs(slope - angle) > 1e-12 else 0.0
    return np.array([x, length * math.sin(difference), -length * math.cos(difference)])


def load_resultant(
    landmarks: Landmarks, kind: Load, *, slope_deg: float = DEFAULT_SLOPE_DEG, centre: ArrayLike | None = None
) -> Resultant:
    """Force, point and moment of a load in the anatomical frame.

    Parameters
    ----------
    landmarks
    kind
        See `load`.
    slope_deg
        Angle to the endplate normal of a load that names none.
    centre : (3,), optional
        Where a load that names no point acts (default: the centre of the S1 endplate). A hemisacrum
        gives the centroid of its half endplate, as the middle of the whole lies on its edge.
    """
    middle = landmarks.endplate_centre if centre is None else centre
    point = np.asarray(middle if kind.point_mm is None else kind.point_mm, dtype=float)
    moment = np.asarray(kind.moment_nmm, dtype=float)
    if kind.vector_n is not None:
        return Resultant(np.asarray(kind.vector_n, dtype=float), point, moment)
    angle = slope_deg if kind.angle_deg is None else kind.angle_deg
    if not -90.0 < angle < 90.0:
        raise InputError(
            "the force does not press on the endplate",
            field="load.slope_deg",
            value=angle,
            mend="give an angle between -90 and 90",
        )
    return Resultant(kind.force_n * load_direction(landmarks.endplate_normal, angle), point, moment)


def endplate_faces(space: Space) -> IntArray:
    """(f,) boundary faces of the S1 endplate.

    Raises
    ------
    InputError
        The mesh has no set ``endplate``, or it is empty.
    """
    members = space.mesh.face_sets.get("endplate")
    if members is None or not members.any():
        raise InputError("the mesh has no faces named endplate", field="endplate", mend="name the loaded faces")
    return np.flatnonzero(members)


def facet_faces(space: Space, landmarks: Landmarks) -> dict[Side, IntArray]:
    """Boundary faces of the superior articular process of each side that is there, which bears the facet of L5.

    The process is the highest bone behind the endplate, along its normal, beside the canal; its faces within 8 mm of
    the top count.

    Raises
    ------
    InputError
        A side of the bone has nothing behind the endplate.
    """
    mesh = space.mesh
    centres = mesh.points[mesh.faces].mean(axis=1)
    normal = np.asarray(landmarks.endplate_normal, dtype=float)
    free = np.asarray(mesh.face_sets.get("outer", mesh.pair_side == 0), bool).copy()
    for name in ("endplate", "auricular_left", "auricular_right"):
        free &= ~np.asarray(mesh.face_sets.get(name, np.zeros(len(free), bool)), bool)
    # Behind the middle of the endplate by half its usual depth (31 mm, MRI, 25 + 25 [A]), and beside the canal.
    back = centres - np.asarray(landmarks.endplate_centre)
    behind = back - (back @ normal)[:, None] * normal
    aside = np.abs(centres[:, 0])
    free &= (behind[:, 1] > _HALF_DEPTH_MM) & (aside > float(landmarks.canal.radii[0])) & (aside < _MOST_ASIDE_MM)
    found: dict[Side, IntArray] = {}
    for side in SIDES:
        of_side = centres[:, 0] > 0.0 if side == "left" else centres[:, 0] < 0.0
        if not np.any(of_side & (np.abs(back[:, 0]) > _HALF_DEPTH_MM)):
            continue
        mine = np.flatnonzero(free & of_side)
        if not len(mine):
            mend = "leave load.facet_share out, or give the landmarks of the bone"
            raise InputError(
                f"no bone was found behind the endplate on the {side}", field="load.facet_share", mend=mend
            )
        top = centres[mine[np.argmax(back[mine] @ normal)]]
        distance = np.linalg.norm(centres[mine] - top, axis=1)
        near = mine[distance <= _FACET_RADIUS_MM]
        found[side] = near if len(near) >= _LEAST_FACES else mine[np.argsort(distance, kind="stable")[:_LEAST_FACES]]
    return found


def face_centroid(space: Space, faces: IntArray) -> FloatArray:
    """(3,) centroid of boundary faces, mm."""
    centres = space.mesh.points[space.mesh.faces[faces]].mean(axis=1)
    return np.asarray(np.average(centres, axis=0, weights=space.mesh.face_areas[faces]))


def load_vector(space: Space, faces: IntArray, resultant: Resultant) -> FloatArray:
    """Consistent nodal forces whose force and moment equal the resultant's to rounding.

    The traction a + b × (x - c) over the faces is the only linear one of rigid-motion type; its six
    numbers follow from force and moment.

    Parameters
    ----------
    space
    faces : (f,) int
        Boundary faces that carry the load.
    resultant

    Returns
    -------
    (N, 3)
        Nodal forces, N.

    Raises
    ------
    InputError
        There is no face, or all lie on one line.
    """
    if len(faces) == 0:
        raise InputError("no face carries the load", field="load", mend="give a mesh with the set endplate")
    barycentric, weights = triangle_rule()
    shape = space.face_shape(barycentric)
    corners = space.mesh.points[space.mesh.faces[faces]]
    areas = space.mesh.face_areas[faces][:, None] * weights
    centre = face_centroid(space, faces)
    arm = np.einsum("qc,fcx->fqx", barycentric, corners) - centre
    # The moment of b × r about the centroid is (r·r I - r r) b; that of a constant traction vanishes
    # there only up to rounding, so the coupling is kept.
    area = areas.sum()
    first = np.einsum("fq,fqx->x", areas, arm)
    second = np.einsum("fq,fqx,fqy->xy", areas, arm, arm)
    system = np.zeros((6, 6))
    system[:3, :3] = area * np.eye(3)
    system[:3, 3:] = -_cross_matrix(first)
    system[3:, :3] = _cross_matrix(first)
    system[3:, 3:] = np.trace(second) * np.eye(3) - second
    length = math.sqrt(np.trace(second) / area)
    scale = np.repeat([1.0, 1.0 / length], 3)
    if np.linalg.cond(scale[:, None] * system * scale) > 1e10:
        raise InputError("the loaded faces have no extent", field="load", mend="give a surface, not a line of faces")

    wanted = np.concatenate([resultant.force, resultant.moment + np.cross(resultant.point - centre, resultant.force)])
    nodal = np.zeros((space.n_nodes, 3))
    nodes = space.face_nodes[faces]
    used = np.unique(nodes)
    for _ in range(2):  # the second pass removes what rounding left
        missing = wanted - np.concatenate(
            [nodal[used].sum(axis=0), np.cross(space.nodes[used] - centre, nodal[used]).sum(axis=0)]
        )
        coefficients = scale * np.linalg.solve(scale[:, None] * system * scale, scale * missing)
        traction = coefficients[:3] + np.cross(coefficients[3:], arm)
        np.add.at(nodal, nodes, np.einsum("qa,fq,fqx->fax", shape, areas, traction))
    return nodal


@dataclass(frozen=True, eq=False)
class NodalForces(Part):
    """Forces (N, 3) in N on nodes, such as those of `load_vector`."""

    forces: FloatArray
    name: str = "load"

    def force(self, space: Space) -> FloatArray:
        """See `Part`."""
        return self.forces


def _cross_matrix(v: FloatArray) -> FloatArray:
    return np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])
