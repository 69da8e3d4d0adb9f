"""The three-dimensional view of a comparison as plain data: what the page's script turns into a picture.

three.js draws it. Tried beside it: Plotly's wheel (4.7 MB of script in every page) and its part for
three dimensions (1.5 MB); three.js is 0.7 MB, ships here with its licence (MIT), and can draw bone as glass.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps

from sacrofem.cement.needle import Needle
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.report.figures.drawing import MOTION_MAP, cement_surface
from sacrofem.system.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from sacrofem.anatomy.solid import Corridor
    from sacrofem.specimen.comparison import Comparison

_COLOURS = 64
_SIDES = 20


def scene_of(comparison: Comparison) -> dict[str, Any]:
    """The scene of a comparison; see `scene`."""
    landmarks = comparison.specimen.landmarks
    broken = len(comparison.mesh.paired[0]) > 0
    states = ("before", "after") if broken else ()
    return scene(
        comparison.mesh,
        motion={name: 1e3 * comparison.solutions[name].fields.gap.mean("micromotion") for name in states},
        fraction=comparison.solutions["after"].state.fraction,
        needles=[placed.injection.needle for placed in comparison.region.injections],
        corridors={"canal": landmarks.canal, **landmarks.foramina},
    )


def scene(
    mesh: TetMesh,
    *,
    motion: Mapping[str, FloatArray],
    fraction: FloatArray | None = None,
    needles: Sequence[Needle] = (),
    corridors: Mapping[str, Corridor] | None = None,
) -> dict[str, Any]:
    """Bone, fracture faces with their micromotion, cement, needles and corridors as JSON data.

    Parameters
    ----------
    mesh
    motion : mapping of "before" and "after" to (p,)
        Micromotion of each pair of fracture faces, µm; empty without a fracture.
    fraction : (m,), optional
        Share of each tet's pores that cement fills.
    needles, corridors

    Returns
    -------
    dict
        ``layers`` {name: {"points", "faces"}} (little-endian float32 mm and uint32, base64), ``motion``
        {state: float32 µm a fracture face}, ``top_um`` (upper end of the one colour scale), ``colours``
        (hex), ``centre`` and ``radius`` in mm.
    """
    plus, _ = mesh.paired
    assert mesh.pair_side is not None
    layers: dict[str, tuple[FloatArray, IntArray]] = {
        "bone": (mesh.points, mesh.faces[mesh.pair_side == 0]),
        "fracture": (mesh.points, mesh.faces[plus]),
        "cement": cement_surface(mesh, fraction),
        "needles": _joined(
            [_tube(np.array([n.entry_mm, n.target_mm]), np.full(2, n.diameter_mm / 2)) for n in needles]
        ),
        "corridors": _joined([_tube(c.points, c.radii) for c in (corridors or {}).values()]),
    }
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    top = max((float(np.percentile(values, 99)) for values in motion.values() if len(values)), default=0.0)
    ramp = colormaps[MOTION_MAP](np.linspace(0.0, 1.0, _COLOURS))[:, :3]
    return {
        "layers": {name: _layer(*layer) for name, layer in layers.items() if len(layer[1])},
        "motion": {name: _packed(values, "<f4") for name, values in motion.items()},
        "top_um": top,
        "colours": [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in np.rint(255 * ramp).astype(int).tolist()],
        "centre": [round(float(x), 3) for x in (low + high) / 2],
        "radius": round(float(np.linalg.norm(high - low)) / 2, 3),
    }


def _layer(points: FloatArray, faces: IntArray) -> dict[str, str]:
    used, numbers = np.unique(faces, return_inverse=True)
    return {"points": _packed(points[used], "<f4"), "faces": _packed(numbers, "<u4")}


def _packed(values: Any, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode("ascii")


def _joined(pieces: Sequence[tuple[FloatArray, IntArray]]) -> tuple[FloatArray, IntArray]:
    if not pieces:
        return np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64)
    starts = np.cumsum([0, *(len(points) for points, _ in pieces[:-1])])
    faces = [faces + start for (_, faces), start in zip(pieces, starts, strict=True)]
    return np.concatenate([points for points, _ in pieces]), np.concatenate(faces)


def _tube(points: FloatArray, radii: FloatArray) -> tuple[FloatArray, IntArray]:
    """A tube of rings around a polyline, open at both ends."""
    along = np.gradient(np.asarray(points, float), axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    # One reference for all rings, so that the tube does not twist.
    reference = np.eye(3)[int(np.argmin(np.abs(along).max(axis=0)))]
    first = np.cross(along, reference)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(along, first)
    angle = np.linspace(0.0, 2.0 * np.pi, _SIDES, endpoint=False)
    circle = np.cos(angle)[:, None] * first[:, None] + np.sin(angle)[:, None] * second[:, None]
    rings = points[:, None] + np.asarray(radii, float)[:, None, None] * circle
    i, k = np.meshgrid(np.arange(len(points) - 1), np.arange(_SIDES), indexing="ij")
    a, b = i * _SIDES + k, i * _SIDES + (k + 1) % _SIDES
    faces = np.stack([np.stack([a, b, b + _SIDES], -1), np.stack([a, b + _SIDES, a + _SIDES], -1)], axis=2)
    return rings.reshape(-1, 3), faces.reshape(-1, 3)
