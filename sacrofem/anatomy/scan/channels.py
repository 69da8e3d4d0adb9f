"""Channels through a scanned bone: the widest way from mouth to mouth through what its outline encloses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import KDTree

from sacrofem.anatomy.scan.lattice import LatticeSolid
from sacrofem.anatomy.solid import Corridor
from sacrofem.system.arrays import BoolArray, FloatArray

OPEN_MM = 1.0
"""A channel through which a ball of this radius fits is open."""
CLOSING_MM = 9.0
"""Radius of the ball that fits into no channel: what it does not reach from outside is enclosed."""
MOUTH_MM = 11.0
"""How far a mouth may lie from that of the twin."""
DENT_MM = 2.5
"""A shallower dent in the outline is no mouth of a channel that is filled."""
FREE = 0.75
"""Share of its radii that has to be free for the channel of a twin to be the bone's."""
_RIM_MM = 3.0
_DETOUR = 1.8
_STATIONS = 5


@dataclass(frozen=True, eq=False)
class Channels:
    """The hollows of a solid that has been placed in the anatomical frame."""

    solid: LatticeSolid

    @cached_property
    def _closed(self) -> LatticeSolid:
        h = self.solid.spacing_mm
        room = int(np.ceil(CLOSING_MM / h)) + 2
        inside = np.pad(self.solid.values, room, mode="edge") < 0.0
        grown = ndimage.distance_transform_edt(~inside, sampling=h) <= CLOSING_MM
        depth = ndimage.distance_transform_edt(grown, sampling=h)
        return replace(
            self.solid, values=np.asarray(CLOSING_MM - depth, np.float32), corner=self.solid.corner - room * h
        )

    @cached_property
    def _hollow(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Nodes in hollows (n, 3), the radius of the ball that fits there, and their depth below the outline."""
        solid = self.solid
        index = np.argwhere((solid.values > 0.5) & (solid.values < CLOSING_MM + 3.0))
        points = solid.frame.place(solid.corner + solid.spacing_mm * index)
        depth = -self._closed.signed_distance(points)
        kept = depth > -1.0
        return points[kept], solid.values[tuple(index[kept].T)].astype(float), depth[kept]

    @cached_property
    def _ways(self) -> tuple[KDTree, coo_array]:
        points, room, _ = self._hollow
        tree = KDTree(points)
        pairs = tree.query_pairs(1.8 * self.solid.spacing_mm, output_type="ndarray")
        a, b = pairs.T
        length = np.linalg.norm(points[a] - points[b], axis=1)
        # Wide ways are short: the path keeps to the middle.
        cost = length / np.minimum(np.minimum(room[a], room[b]), 6.0) ** 2
        graph = coo_array((cost, (a, b)), shape=(len(points), len(points)))
        return tree, graph

    def _beside(self, twin: Corridor) -> BoolArray:
        """Which nodes lie along the twin's channel."""
        points, _, _ = self._hollow
        share = np.linspace(0.0, len(twin.points) - 1.0, 12 * len(twin.points))
        line = np.stack([np.interp(share, np.arange(len(twin.points)), twin.points[:, d]) for d in range(3)], axis=1)
        return np.asarray(KDTree(line).query(points)[0] < MOUTH_MM)

    def _mouth(self, near: FloatArray, radius: float, allowed: BoolArray) -> int | None:
        """The node at the outline where the widest ball fits, not far from a point."""
        points, room, depth = self._hollow
        tree, _ = self._ways
        around = np.array(tree.query_ball_point(near, MOUTH_MM), dtype=int)
        if len(around):
            around = around[(depth[around] < _RIM_MM) & (room[around] > OPEN_MM) & allowed[around]]
        if not len(around):
            return None
        score = np.minimum(room[around], radius) - 0.3 * np.linalg.norm(points[around] - near, axis=1)
        return int(around[score.argmax()])

    def find(self, twin: Corridor, *, stations: int = _STATIONS) -> tuple[Corridor, float]:
        """A channel near that of the twin, and how open it is.

        Parameters
        ----------
        twin
            Where it should be, from mouth to mouth, in the anatomical frame.
        stations
            Points of the result.

        Returns
        -------
        Corridor
            Balls along the widest way; where there is none, the twin's, moved with the mouth that was found.
        float
            1: open from mouth to mouth; 0.5: a mouth, but no way through; 0: nothing there.
        """
        points, _, _ = self._hollow
        if not len(points):
            return twin, 0.0
        free = (self.solid.signed_distance(twin.points) > FREE * twin.radii).all()
        if free and (self._closed.signed_distance(twin.points[1:-1]) < 0.0).all():
            return twin, 1.0
        allowed = self._beside(twin)
        ends = [self._mouth(twin.points[k], float(twin.radii[k]), allowed) for k in (0, -1)]
        expected = float(np.linalg.norm(np.diff(twin.points, axis=0), axis=1).sum())
        if ends[0] is not None and ends[1] is not None and ends[0] != ends[1]:
            _, graph = self._ways
            open_ = allowed[graph.row] & allowed[graph.col]
            ways = coo_array((graph.data[open_], (graph.row[open_], graph.col[open_])), shape=graph.shape)
            cost, before = dijkstra(ways, directed=False, indices=ends[0], return_predecessors=True)
            if np.isfinite(cost[ends[1]]):
                way = [ends[1]]
                while way[-1] != ends[0]:
                    way.append(int(before[way[-1]]))
                path = points[way[::-1]]
                if np.linalg.norm(np.diff(path, axis=0), axis=1).sum() <= _DETOUR * expected + 5.0:
                    return self._corridor(path, twin, stations), 1.0
        # A ball of the mouth and its depth below the outline make the dent there.
        _, room, depth = self._hollow
        found = [k for k, end in enumerate(ends) if end is not None and room[end] + depth[end] > DENT_MM]
        if not found:
            return twin, 0.0
        share = np.linspace(1.0, 0.0, len(twin.points))[:, None]
        shifts = [np.zeros(3), np.zeros(3)]
        for k in found:
            shifts[k] = points[ends[k]] - twin.points[(0, -1)[k]]
        if len(found) == 1:
            shifts[1 - found[0]] = 0.5 * shifts[found[0]]
        return Corridor(twin.points + share * shifts[0] + (1.0 - share) * shifts[1], twin.radii), 0.5

    def _corridor(self, path: FloatArray, twin: Corridor, stations: int) -> Corridor:
        """Stations evenly along a path of nodes, its steps smoothed, with the balls that fit there."""
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
        fine = np.linspace(0.0, length[-1], 8 * stations)
        smooth = np.stack([np.interp(fine, length, path[:, d]) for d in range(3)], axis=1)
        smooth = ndimage.gaussian_filter1d(smooth, 3.0, axis=0, mode="nearest")
        at = np.linspace(0, len(fine) - 1, stations).round().astype(int)
        limit = np.interp(np.linspace(0, 1, stations), np.linspace(0, 1, len(twin.radii)), twin.radii)
        fits = self.solid.signed_distance(smooth[at])
        return Corridor(smooth[at], np.clip(fits, OPEN_MM, 1.4 * limit))
