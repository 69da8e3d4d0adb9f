"""Ligaments of the sacrum: where they go, how stiff they are, and the springs that stand for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.spatial import cKDTree

from sacrofem.anatomy.solid import Landmarks, Side
from sacrofem.mechanics.parts.part import Part, Springs
from sacrofem.mechanics.space.quadrature import triangle_rule
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Ligaments(Part):
    """Springs from points of the mesh to fixed points far away.

    Attributes
    ----------
    nodes : (s,) int
        Points of the mesh.
    directions : (s, 3)
        Unit vectors from the bone to the fixed end.
    stiffness : (s,)
        N/mm.
    names : tuple of str
        Of the ligaments, such as ``"sacrospinous_left"``.
    owner : (s,) int, optional
        Which of ``names`` each spring belongs to; default: all to the first.
    """

    nodes: IntArray
    directions: FloatArray
    stiffness: FloatArray
    names: tuple[str, ...] = ("ligament",)
    owner: IntArray | None = None
    name: str = "ligaments"

    def elements(self, space: Space) -> Iterator[Springs]:
        """Springs along the ligaments."""
        if not len(self.nodes):
            return
        yield Springs(
            self.nodes[:, None],
            np.ones((1, 1, 1)),
            self.directions[:, None, None],
            self.stiffness[:, None, None],
            space.nodes[self.nodes][:, None],
            self.names,
            self.owner,
        )


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


def attached(space: Space, bands: Sequence[Ligament], factor: float) -> Ligaments:
    """Each ligament spread over a patch of the surface around its place, at a share ``factor`` of its stiffness."""
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
    return Ligaments(
        np.concatenate(nodes),
        np.concatenate(directions),
        np.concatenate(stiffness),
        tuple(f"{band.name}_{band.side}" for band in bands),
        np.concatenate(owner),
    )
