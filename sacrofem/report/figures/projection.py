"""Drawing tetrahedra on paper: projected and depth-sorted triangles, and plane sections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class View:
    """A direction to look from: what points right and up on the page (unit vectors, anatomical frame)."""

    title: str
    right: tuple[float, float, float]
    up: tuple[float, float, float]
    margins: tuple[str, str] = ("", "")

    @property
    def axes(self) -> FloatArray:
        """(3, 3) rows: right, up, and toward the viewer."""
        right, up = np.asarray(self.right, float), np.asarray(self.up, float)
        return np.array([right, up, np.cross(right, up)])


ANTERIOR = View("anterior", (1, 0, 0), (0, 0, 1), ("R", "L"))
POSTERIOR = View("posterior", (-1, 0, 0), (0, 0, 1), ("L", "R"))
LEFT = View("left lateral", (0, 1, 0), (0, 0, 1), ("A", "P"))


def point_normals(points: FloatArray, faces: IntArray) -> FloatArray:
    """(n, 3) unit normals at points: area-weighted means over the given triangles; zero off them."""
    p = points[faces]
    normal = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    total = np.zeros_like(points)
    for corner in range(3):
        np.add.at(total, faces[:, corner], normal)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(np.divide(total, length, out=total, where=length > 0))


def smooth_normals(points: FloatArray, faces: IntArray) -> FloatArray:
    """(f, 3) shading normals of triangles: the mean of their corners' point normals."""
    normal = point_normals(points, faces)[faces].mean(axis=1)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    return np.asarray(np.divide(normal, length, out=normal, where=length > 0))


def isosurface(mesh: TetMesh, values: FloatArray, level: float) -> tuple[FloatArray, IntArray]:
    """The surface, seen from outside, around the region where a field on tets lies above a level.

    The field is averaged to the points first (by volume), so that the surface is smooth where the
    field is sharp. Where the region reaches the outside of the mesh, faces wholly in it close it.

    Parameters
    ----------
    mesh
    values : (m,)
    level

    Returns
    -------
    points : (s, 3)
    triangles : (t, 3) int
    """
    weight, total = np.zeros(len(mesh.points)), np.zeros(len(mesh.points))
    volumes = np.repeat(np.abs(mesh.volumes), 4)
    np.add.at(weight, mesh.tets.ravel(), volumes)
    np.add.at(total, mesh.tets.ravel(), volumes * np.repeat(values, 4))
    field = total / weight - level
    field[np.abs(field) < 1e-9] = 1e-9
    pieces = []
    for corners, edges in _sorted_cuts(field, mesh.tets, _CUT):
        ends = corners[:, edges]
        t = field[ends[..., 0]] / (field[ends[..., 0]] - field[ends[..., 1]])
        a, b = mesh.points[ends[..., 0]], mesh.points[ends[..., 1]]
        polygon = a + (b - a) * t[..., None]
        # Corners rise in the field: the outside lies from the last toward the first.
        outward = mesh.points[corners[:, 0]] - mesh.points[corners[:, 3]]
        normal = np.cross(polygon[:, 1] - polygon[:, 0], polygon[:, 2] - polygon[:, 0])
        inward = np.einsum("ij,ij->i", normal, outward) < 0
        polygon[inward] = polygon[inward][:, ::-1]
        pieces.append(polygon[:, :3])
        if polygon.shape[1] == 4:
            pieces.append(polygon[:, [0, 2, 3]])
    assert mesh.pair_side is not None
    outer = mesh.faces[mesh.pair_side == 0]
    pieces.append(mesh.points[outer[(field[outer] > 0).all(axis=1)]])
    soup = np.concatenate(pieces).reshape(-1, 3)
    if not len(soup):
        return np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64)
    # Tets that share an edge share its crossing: merge them, so that normals can be smoothed.
    _, first, number = np.unique(np.round(soup, 7), axis=0, return_index=True, return_inverse=True)
    return soup[first], number.reshape(-1, 3).astype(np.int64)


def _sorted_cuts(
    distance: FloatArray, simplices: IntArray, table: Mapping[int, IntArray]
) -> Iterator[tuple[IntArray, IntArray]]:
    """Cut simplices in groups: their corners by rising distance, and which edges of these are cut."""
    d = distance[simplices]
    order = np.argsort(d, axis=1)
    below = (d < 0).sum(axis=1)
    for count, edges in table.items():
        cut = np.flatnonzero(below == count)
        yield np.take_along_axis(simplices[cut], order[cut], axis=1), edges


def lit(normals: FloatArray, view: View, colour: tuple[float, float, float], *, ambient: float = 0.45) -> FloatArray:
    """(f, 3) colours of triangles under a lamp above the viewer's left shoulder; both faces of a triangle shine."""
    lamp = np.array([-0.35, 0.45, 0.82]) @ view.axes
    shade = ambient + (1 - ambient) * np.abs(normals @ (lamp / np.linalg.norm(lamp)))
    return np.clip(np.asarray(colour) * shade[:, None], 0, 1)


def projected(points: FloatArray, view: View) -> tuple[FloatArray, FloatArray]:
    """Page coordinates (..., 2) of points, and their depth (larger is nearer)."""
    page = points @ view.axes.T
    return page[..., :2], page[..., 2]


def raster(
    points: FloatArray, faces: IntArray, colours: FloatArray, view: View, box: FloatArray, pixels_per_mm: float
) -> FloatArray:
    """Triangles painted from far to near: an image without seams between them, four samples a pixel.

    Parameters
    ----------
    points : (n, 3)
    faces : (f, 3) int
    colours : (f, 4)
        Red, green, blue and opacity; where triangles cover each other only the nearest counts.
    view
    box : (2, 2)
        Lower left and upper right corner of the image on the page, mm.
    pixels_per_mm

    Returns
    -------
    (h, w, 4)
        Image, top row first, colours multiplied by opacity.
    """
    page, depth = projected(points, view)
    order = np.argsort(depth[faces].mean(axis=1))
    size = np.maximum(np.ceil((box[1] - box[0]) * pixels_per_mm), 1).astype(int)
    figure = Figure(figsize=tuple(size / 100), dpi=200, facecolor="black")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.set(xlim=box[:, 0], ylim=box[:, 1])
    triangles = PolyCollection(list(page[faces[order]]), linewidths=0, antialiased=False)
    ax.add_collection(triangles, autolim=False)
    canvas = FigureCanvasAgg(figure)

    def painted(paint: FloatArray) -> NDArray[np.float32]:
        triangles.set_facecolor(paint)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3] * np.float32(1 / 255)

    # Opacity is painted like a colour, in a second picture: translucent paint would show every shared edge.
    colour = painted(np.maximum(colours[order, :3], 1 / 255))
    if (colours[:, 3] == 1).all():
        alpha = (colour > 0).any(axis=2, keepdims=True).astype(np.float32)
    else:
        alpha = painted(np.repeat(colours[order, 3:], 3, axis=1))[..., :1]
    image = np.concatenate([colour * alpha, alpha], axis=2)
    h, w = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    # Sums of slices: the same mean over two axes takes five times as long.
    return np.asarray(0.25 * (image[:h:2, :w:2] + image[1:h:2, :w:2] + image[:h:2, 1:w:2] + image[1:h:2, 1:w:2]))


def over(front: FloatArray, back: FloatArray) -> FloatArray:
    """One image (colours multiplied by opacity) laid over another."""
    return front + back * (1.0 - front[..., 3:])


# ---------------------------------------------------------------------- sections
@dataclass(frozen=True, eq=False)
class Plane:
    """A section: a point on it and the page axes in it (unit vectors)."""

    point: FloatArray
    right: FloatArray
    up: FloatArray

    def distance(self, points: FloatArray) -> FloatArray:
        """Signed distance of points, never exactly zero."""
        d = (points - self.point) @ np.cross(self.right, self.up)
        return np.where(np.abs(d) < 1e-9, 1e-9, d)

    def page(self, points: FloatArray) -> FloatArray:
        """(..., 2) coordinates in the plane."""
        return (points - self.point) @ np.stack([self.right, self.up], axis=1)


# Edges that a plane cuts when the corners are ordered by distance, by the number of corners below it.
_CUT = {
    1: np.array([[0, 1], [0, 2], [0, 3]]),
    2: np.array([[0, 2], [0, 3], [1, 3], [1, 2]]),
    3: np.array([[3, 0], [3, 1], [3, 2]]),
}
_CUT_TRIANGLE = {1: np.array([[0, 1], [0, 2]]), 2: np.array([[2, 0], [2, 1]])}


def section(mesh: TetMesh, plane: Plane) -> tuple[list[FloatArray], IntArray]:
    """Polygons in which a plane cuts the tets.

    Returns
    -------
    polygons : list of (3, 2) or (4, 2)
        Page coordinates.
    tets : (c,) int
        The tet of each polygon.
    """
    d = plane.distance(mesh.points)[mesh.tets]
    order = np.argsort(d, axis=1)
    below = (d < 0).sum(axis=1)
    polygons: list[FloatArray] = []
    owners = []
    for count, edges in _CUT.items():
        cut = np.flatnonzero(below == count)
        corners = np.take_along_axis(mesh.tets[cut], order[cut], axis=1)
        polygons.extend(_crossings(mesh.points, corners, edges, plane))
        owners.append(cut)
    return polygons, np.concatenate(owners)


def section_lines(points: FloatArray, faces: IntArray, plane: Plane) -> FloatArray:
    """(s, 2, 2) segments in which a plane cuts triangles."""
    cuts = _sorted_cuts(plane.distance(points), faces, _CUT_TRIANGLE)
    return np.concatenate([_crossings(points, corners, edges, plane) for corners, edges in cuts])


def _crossings(points: FloatArray, corners: IntArray, edges: IntArray, plane: Plane) -> FloatArray:
    a, b = points[corners[:, edges[:, 0]]], points[corners[:, edges[:, 1]]]
    da, db = plane.distance(a)[..., None], plane.distance(b)[..., None]
    return plane.page(a + (b - a) * da / (da - db))


# ---------------------------------------------------------------------- flattening
def best_plane(points: FloatArray) -> Plane:
    """The plane nearest to points (least squares), its page axes along the body's as far as they can.

    Up is superior and right is posterior, or right is left where the plane is nearly axial or coronal.
    """
    centre = points.mean(axis=0)
    normal = np.linalg.svd(points - centre, full_matrices=False)[2][2]
    axes = np.eye(3)
    k = int(np.argmax(np.abs(normal)))
    first, second = {0: (1, 2), 1: (0, 2), 2: (0, 1)}[k]
    up = axes[second] - normal * normal[second]
    up /= np.linalg.norm(up)
    right = np.cross(up, normal)
    return Plane(centre, right if right[first] > 0 else -right, up)
