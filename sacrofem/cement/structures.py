"""What cement and needles have to keep clear of: canal, foramina, joints, the cortex in front, and the alae."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import KDTree

from sacrofem.anatomy.regions import corridor_distance, denis_zone, level_of
from sacrofem.anatomy.solid import SIDES, Corridor, Landmarks
from sacrofem.mesh.locate import Locator
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import BoolArray, FloatArray

_CORRIDOR_STEP_MM = 0.5
_AROUND = 24
# The anterior cortex is what looks forward more than aside: within 60° of straight ahead.
_FORWARD = -0.5


@dataclass(frozen=True, eq=False)
class Structures:
    """What cement and needles have to keep clear of, on one mesh.

    Parameters
    ----------
    mesh : TetMesh
        With the sets ``outer``, ``endplate``, ``auricular_left`` and ``auricular_right``, as far as it has them.
    landmarks : Landmarks
    cortex_mm
        Thickness that counts as cortex along a needle.
    """

    mesh: TetMesh
    landmarks: Landmarks
    cortex_mm: float = 0.8

    @cached_property
    def corridors(self) -> Mapping[str, Corridor]:
        """Canal and foramina by name: inside them nothing may lie."""
        return {"canal": self.landmarks.canal, **self.landmarks.foramina}

    @cached_property
    def keep_clear(self) -> Mapping[str, FloatArray]:
        """(n, 3) points on walls and axis of each of them."""
        return {name: _corridor_points(corridor) for name, corridor in self.corridors.items()}

    @cached_property
    def locate(self) -> Locator:
        """Finds the tet that a point lies in."""
        return Locator(self.mesh)

    @cached_property
    def _surface(self) -> tuple[FloatArray, FloatArray, list[str]]:
        """Sample points of the outer surface, the part of each, and the names of the parts."""
        mesh = self.mesh
        outer = mesh.face_sets.get("outer")
        chosen = np.ones(len(mesh.faces), bool) if outer is None else np.asarray(outer, bool)
        chosen = chosen & (np.asarray(mesh.pair) == 0)
        names = ["anterior", "posterior", "disc", "joint_left", "joint_right"]
        part = np.where(mesh.face_normals[:, 1] < _FORWARD, 0, 1)
        for number, key in ((2, "endplate"), (3, "auricular_left"), (4, "auricular_right")):
            members = np.asarray(mesh.face_sets.get(key, np.zeros(len(mesh.faces), bool)), bool)
            part[members] = number
            chosen = chosen | members
        corners = mesh.points[mesh.faces[chosen]]
        edges = 0.5 * (corners + np.roll(corners, 1, axis=1))
        points = np.concatenate([corners, edges, corners.mean(axis=1, keepdims=True)], axis=1)
        return points.reshape(-1, 3), np.repeat(part[chosen], points.shape[1]), names

    @cached_property
    def _trees(self) -> Mapping[str, KDTree]:
        points, part, names = self._surface
        found = {name: points[part == n] for n, name in enumerate(names) if (part == n).any()}
        for side in SIDES:
            if f"joint_{side}" in found:
                found[f"joint_{side}"] = _patch_points(self.mesh, self.mesh.face_sets[f"auricular_{side}"])
        return {name: KDTree(points) for name, points in found.items()}

    @cached_property
    def alae(self) -> Mapping[str, tuple[BoolArray, float]]:
        """Of each side that is there, which tets are its ala (Denis zone 1, S1 to S3), and its volume in ml."""
        centres = self.mesh.centroids
        found: dict[str, tuple[BoolArray, float]] = {}
        for side, members in zip(SIDES, self.in_ala(centres), strict=True):
            if volume := float(self.mesh.volumes[members].sum()) / 1e3:
                found[side] = (members, volume)
        return found

    def in_ala(self, points: FloatArray) -> tuple[BoolArray, BoolArray]:
        """Whether points (n, 3) lie in the left ala, and in the right one."""
        lateral = (denis_zone(points, self.landmarks) == 1) & (level_of(points, self.landmarks) <= 2)
        left = points[:, 0] >= 0.0
        return lateral & left, lateral & ~left

    @property
    def surfaces(self) -> tuple[str, ...]:
        """Names of the parts of the surface that the mesh has."""
        return tuple(self._trees)

    @cached_property
    def _whole_surface(self) -> KDTree:
        return KDTree(self._surface[0])

    def distances(self, points: FloatArray) -> dict[str, FloatArray]:
        """(n,) mm from points (n, 3) to each structure: canal and foramina signed, surfaces not."""
        found = {name: corridor_distance(points, corridor) for name, corridor in self.corridors.items()}
        for name in ("joint_left", "joint_right", "anterior"):
            if name in self._trees:
                found[name] = np.asarray(self._trees[name].query(points)[0])
        return found

    def depth(self, points: FloatArray) -> FloatArray:
        """(n,) mm to the nearest point of the surface."""
        return np.asarray(self._whole_surface.query(points)[0])

    def where(self, points: FloatArray) -> list[str]:
        """Where points outside the bone (n, 3) lie: in a corridor, or beyond a part of the surface."""
        if not len(points):
            return []
        names = list(self.corridors)
        signed = np.stack([corridor_distance(points, self.corridors[name]) for name in names])
        nearest = signed.argmin(axis=0)
        parts, kinds = self._surface[1], self._surface[2]
        beyond = parts[self._whole_surface.query(points)[1]]
        return [
            names[nearest[n]] if signed[nearest[n], n] <= 0.5 else kinds[int(beyond[n])] for n in range(len(points))
        ]


def _patch_points(mesh: TetMesh, members: BoolArray) -> FloatArray:
    """Centres of faces (n, 3), and the edges and corners between them.

    The corners of its rim stand out from a set of faces by up to an edge, each mesh's elsewhere; the centres are what
    made the faces members.
    """
    faces = mesh.faces[members]
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges, count = np.unique(edges, axis=0, return_counts=True)
    inner = np.setdiff1d(faces, edges[count == 1])
    middles = mesh.points[edges[count > 1]].mean(axis=1)
    return np.concatenate([mesh.points[faces].mean(axis=1), middles, mesh.points[inner]])


def _corridor_points(corridor: Corridor) -> FloatArray:
    """Axis and wall of a corridor, densely."""
    axis, radii, along = [], [], []
    ends = zip(corridor.points[:-1], corridor.points[1:], corridor.radii[:-1], corridor.radii[1:], strict=True)
    for start, end, r0, r1 in ends:
        length = float(np.linalg.norm(end - start))
        t = np.linspace(0.0, 1.0, max(2, int(np.ceil(length / _CORRIDOR_STEP_MM)) + 1))
        axis.append(start + t[:, None] * (end - start))
        radii.append(r0 + t * (r1 - r0))
        along.append(np.tile((end - start) / length, (len(t), 1)))
    middle, radius, direction = np.concatenate(axis), np.concatenate(radii), np.concatenate(along)
    helper = np.where(np.abs(direction[:, :1]) < 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    first = np.cross(direction, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(direction, first)
    angle = 2.0 * np.pi * np.arange(_AROUND) / _AROUND
    ring = np.cos(angle)[:, None, None] * first + np.sin(angle)[:, None, None] * second
    wall = (middle + radius[:, None] * ring).reshape(-1, 3)
    return np.concatenate([middle, wall])
