"""The parametric twin of a sacrum: the built-in shape moved and reshaped onto it, with what is left between them.

Two truncated distance fields are compared at nodes around the bone, so that what one has and the other lacks (a
coccyx, a filled foramen) pulls no more than the truncation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from sacrofem.anatomy.builtin.parameters import SacrumParameters, Sex
from sacrofem.anatomy.builtin.sacrum import ParametricSacrum
from sacrofem.anatomy.frame import Frame
from sacrofem.anatomy.scan.channels import Channels
from sacrofem.anatomy.scan.endplate import find_endplate, surface_points
from sacrofem.anatomy.scan.lattice import TRUNCATION_MM, LatticeSolid, truncated
from sacrofem.anatomy.scan.symmetry import median_frame
from sacrofem.errors import InputError
from sacrofem.system.arrays import FloatArray

CLOSE_MM = 0.8
"""A twin that lies nearer than that on the average is the bone: its own landmarks are."""
PRIOR = 0.15
"""Relative scatter given to every dimension beforehand: about twice the published standard deviations (4 to 9 %)."""
_ROUGH, _FINE = 2500, 6000
_COARSE_MM = 2.5
# At the most. Where the endplate turns the first fit by 20 degrees, ten turns of the second left 12 mm at foramina.
_FIRST_TURNS, _SECOND_TURNS = 8, 30
# What a dimension off by its prior scatter costs, as a distance at every node.
_PRIOR_MM = 0.1
# The same for levels and foramina where a segmentation filled all of these: flat dents shall not place them.
_FILLED_MM = 0.3

# What is fitted: each is a factor on a dimension or on all levels of it together.
FITTED: dict[str, tuple[str, int | None]] = {
    "breadth": ("alar_breadth_mm", None),
    "endplate width": ("endplate_transverse_mm", None),
    "endplate depth": ("endplate_ap_mm", None),
    "endplate tilt": ("promontory_tilt_deg", None),
    "curvature": ("straight_length_mm", None),
    "S1 height": ("body_heights_mm", 0),
    "S2 height": ("body_heights_mm", 1),
    "S3 height": ("body_heights_mm", 2),
    "S4 height": ("body_heights_mm", 3),
    "S5 height": ("body_heights_mm", 4),
    "body depth": ("body_depths_mm", None),
    "body width": ("body_half_widths_mm", None),
    "canal width": ("canal_widths_mm", None),
    "canal depth": ("canal_depths_mm", None),
    "width at S2": ("lateral_half_widths_mm", 0),
    "width at S3": ("lateral_half_widths_mm", 1),
    "width at S4": ("lateral_half_widths_mm", 2),
    "ala slope": ("ala_slope_deg", None),
    "ala step": ("ala_step_mm", None),
    "ala depth": ("ala_depth_mm", None),
    "convergence": ("auricular_convergence_deg", None),
    "anterior foramina": ("anterior_offsets_mm", None),
    "posterior foramina": ("posterior_offsets_mm", None),
    "lamina": ("lamina_thickness_mm", None),
    "crest": ("crest_height_mm", None),
    "facets": ("facet_offset_mm", None),
}


@dataclass(frozen=True, eq=False)
class Twin:
    """A built-in sacrum fitted to a solid.

    Attributes
    ----------
    frame : Frame
        From the axes of the file to the anatomical frame.
    sacrum : ParametricSacrum
        With fitted dimensions; its landmarks lie in the anatomical frame.
    mean_mm, p95_mm : float
        Distance of the given surface to the twin's, by area.
    """

    frame: Frame
    sacrum: ParametricSacrum
    mean_mm: float
    p95_mm: float


def fit_twin(solid: LatticeSolid, sex: Sex = "female", seed: int = 0) -> Twin:
    """Find frame and dimensions of a sacrum by least squares between truncated distance fields.

    Whether it is a sacrum at all, `sacrofem.anatomy.scan.likeness` says afterwards.

    Parameters
    ----------
    solid
        In the axes of its file.
    sex
        Preset from which to start, and to which dimensions are drawn (`PRIOR`).
    seed
        Of the sample of nodes.
    """
    nodes, values = _samples(solid)
    random = np.random.default_rng(seed)
    few = random.choice(len(nodes), min(_ROUGH, len(nodes)), replace=False)
    frame, scale = _aligned(solid, nodes[few], values[few], sex)
    many = random.choice(len(nodes), min(_FINE, len(nodes)), replace=False)
    fit = _Fit(nodes[many], values[many], frame, _scaled(SacrumParameters.preset(sex), scale))
    frame, sacrum = fit.made(first := fit.solve(np.zeros(fit.size), _FIRST_TURNS))
    placed = solid.placed(frame)
    frame = frame.then(median_frame(placed, surface_points(placed)[0]))
    if _distances(solid, nodes, values, frame, sacrum).mean() > CLOSE_MM:
        # Median plane and endplate are what the bone shows well: the second fit keeps to them.
        placed = solid.placed(frame)
        plate = find_endplate(placed, *surface_points(placed), sacrum)
        anchor = frame.back(plate.centre[None])[0], plate.normal @ frame.rotation
        channels = Channels(placed)
        filled = all(channels.find(foramen)[1] < 1.0 for foramen in sacrum.foramina.values())
        fit = replace(fit, start=frame, filled=filled)
        first[:6] = 0.0
        frame, sacrum = fit.made(fit.solve(first, _SECOND_TURNS, anchor))
    away = _distances(solid, nodes, values, frame, sacrum)
    return Twin(frame, sacrum, float(away.mean()), float(np.percentile(away, 95)))


def _distances(
    solid: LatticeSolid, nodes: FloatArray, values: FloatArray, frame: Frame, sacrum: ParametricSacrum
) -> FloatArray:
    """Distances in mm between the surfaces of bone and twin, at the nodes next to that of the bone."""
    near = np.abs(values) < 0.75 * solid.spacing_mm
    return np.asarray(np.abs(sacrum.signed_distance(frame.place(nodes[near])) - values[near]))


def _samples(solid: LatticeSolid) -> tuple[FloatArray, FloatArray]:
    """Nodes near the bone in the axes of the file, and truncated distances there."""
    index = np.argwhere(np.abs(solid.values) < 1.5 * TRUNCATION_MM)
    value = solid.values[tuple(index.T)].astype(float)
    return solid.corner + solid.spacing_mm * index, truncated(value)


@lru_cache(maxsize=2)
def _template(sex: Sex) -> tuple[LatticeSolid, FloatArray, FloatArray]:
    """A preset on a lattice, the centre of its volume and its principal axes (rows)."""
    sacrum = ParametricSacrum(SacrumParameters.preset(sex))
    low, high = sacrum.bounds + np.array([[-10.0], [10.0]])
    axes = [np.arange(a, b + _COARSE_MM, _COARSE_MM) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    values = sacrum.signed_distance(grid.reshape(-1, 3)).reshape(grid.shape[:3])
    solid = LatticeSolid(values.astype(np.float32), low, _COARSE_MM)
    return solid, *_principal(solid.inner_nodes())


def _principal(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    centre = points.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov((points - centre).T))
    return centre, axes.T


def _aligned(solid: LatticeSolid, nodes: FloatArray, values: FloatArray, sex: Sex) -> tuple[Frame, float]:
    """Frame and size of the preset that lies best on a solid, whatever the axes of its file."""
    template, middle, axes = _template(sex)
    centre, theirs = _principal(solid.inner_nodes())
    starts = []
    for order in ((0, 1, 2), (1, 0, 2), (0, 2, 1), (2, 1, 0), (1, 2, 0), (2, 0, 1)):
        for signs in np.array(np.meshgrid(*[[1.0, -1.0]] * 3)).reshape(3, -1).T:
            turn = axes.T @ (signs[:, None] * theirs[list(order)])
            if np.linalg.det(turn) > 0:
                starts.append(turn)
    size = (np.count_nonzero(solid.values < 0) * solid.spacing_mm**3) / (
        np.count_nonzero(template.values < 0) * template.spacing_mm**3
    )
    first = np.concatenate([np.zeros(6), [np.log(size) / 3.0]])

    def residual(x: FloatArray, turn: FloatArray) -> FloatArray:
        frame, scale = _moved(x, turn, centre, middle)
        return truncated(scale * template.signed_distance(frame.place(nodes) / scale)) - values

    def solve(turn: FloatArray, evaluations: int, start: FloatArray) -> Any:
        return least_squares(residual, start, args=(turn,), x_scale=_SCALES, max_nfev=evaluations)

    rough = sorted(((s := solve(turn, 6, first)).cost, k, s.x) for k, turn in enumerate(starts))
    best = min(((s := solve(starts[k], 40, x)).cost, k, s.x) for _, k, x in rough[:4])
    return _moved(best[2], starts[best[1]], centre, middle)


# A turn of 0.1, 3 mm and a tenth in size move the surface alike.
_SCALES = np.array([0.1, 0.1, 0.1, 3.0, 3.0, 3.0, 0.1])


def _moved(x: FloatArray, turn: FloatArray, centre: FloatArray, middle: FloatArray) -> tuple[Frame, float]:
    """The frame of the parameters: a turn after ``turn`` about the centre, a shift, and the logarithm of a size."""
    scale = float(np.exp(x[6]))
    rotation = Rotation.from_rotvec(x[:3]).as_matrix() @ turn
    # The centre of the solid comes to lie on that of the preset, plus the shift.
    return Frame(rotation, centre - (scale * middle + x[3:6]) @ rotation), scale


@dataclass(frozen=True, eq=False)
class _Fit:
    """Least squares between the truncated distances of a solid and those of a reshaped preset."""

    nodes: FloatArray
    values: FloatArray
    start: Frame
    preset: SacrumParameters
    filled: bool = False

    @property
    def size(self) -> int:
        return 6 + len(FITTED)

    @cached_property
    def _middle(self) -> FloatArray:
        return np.asarray(self.start.place(self.nodes).mean(axis=0))

    def made(self, x: FloatArray) -> tuple[Frame, ParametricSacrum]:
        """Frame and sacrum of the parameters: a turn about the middle of the nodes, a shift, logarithms of factors."""
        rotation = Rotation.from_rotvec(x[:3]).as_matrix()
        shifted = Frame(rotation, self._middle - (self._middle + x[3:6]) @ rotation)
        return self.start.then(shifted), ParametricSacrum(_reshaped(self.preset, list(FITTED), x[6:]))

    def solve(self, start: FloatArray, turns: int, endplate: tuple[FloatArray, FloatArray] | None = None) -> FloatArray:
        """Parameters that fit best; with an endplate (point, normal in the axes of the file) x = 0 is kept too."""
        root = np.sqrt(len(self.nodes))
        hidden = ("height", "foramina") if self.filled else ()
        cost = np.array([_FILLED_MM if name.endswith(hidden) else _PRIOR_MM for name in FITTED])
        # The turns about y and z and the shift in x move the median plane.
        free = np.ones(self.size, bool)
        free[[1, 2, 3]] = endplate is None

        def all_of(some: FloatArray) -> FloatArray:
            x = start.copy()
            x[free] = some
            return x

        def residual(some: FloatArray) -> FloatArray:
            x = all_of(some)
            try:
                frame, sacrum = self.made(x)
                parts = [truncated(sacrum.signed_distance(frame.place(self.nodes))) - self.values]
            except (ValueError, InputError):
                # On what is no sacrum a step may lead to one that cannot be built: its endplate reaches down into S2.
                return np.full(len(self.nodes) + len(cost) + 3 * (endplate is not None), 2.0 * TRUNCATION_MM)
            parts.append(root * cost * x[6:] / PRIOR)
            if endplate is not None:
                point, normal = frame.place(endplate[0][None])[0], frame.rotation @ endplate[1]
                lean = np.cross(sacrum.endplate_normal, normal)[0]
                parts.append(root * np.array([20.0 * lean, 0.5 * (point @ sacrum.endplate_normal), 0.3 * point[1]]))
            return np.concatenate(parts)

        def robust(z: FloatArray) -> FloatArray:
            # The distances only: what else is asked for counts in full.
            rho = np.stack([z, np.ones_like(z), np.zeros_like(z)])
            root_z = np.sqrt(1.0 + z[: len(self.nodes)])
            rho[:, : len(self.nodes)] = 2.0 * (root_z - 1.0), 1.0 / root_z, -0.5 / root_z**3
            return rho

        scales = np.concatenate([_SCALES[:6], np.full(len(FITTED), 0.1)])
        bound = np.concatenate([np.full(3, 0.6), np.full(3, 25.0), np.full(len(FITTED), 0.45)])
        found = least_squares(
            residual, np.clip(start, -0.99 * bound, 0.99 * bound)[free], x_scale=scales[free],
            bounds=(-bound[free], bound[free]), loss=robust, f_scale=3.0, max_nfev=turns, diff_step=1e-4,
            ftol=1e-4, xtol=1e-4,
        )  # fmt: skip
        return all_of(found.x)


def _scaled(parameters: SacrumParameters, factor: float) -> SacrumParameters:
    """All lengths times a factor; angles stay."""
    given: dict[str, Any] = {}
    for name, value in vars(parameters).items():
        if name.endswith("_mm"):
            given[name] = tuple(factor * v for v in value) if isinstance(value, tuple) else factor * value
    return replace(parameters, **given)


def _reshaped(preset: SacrumParameters, names: list[str], x: FloatArray) -> SacrumParameters:
    """The preset with the exponentials of ``x`` as factors on its dimensions."""
    given: dict[str, Any] = {}
    for name, value in zip(names, np.exp(x), strict=True):
        field, level = FITTED[name]
        old = given.get(field, getattr(preset, field))
        if level is None:
            given[field] = tuple(float(v * value) for v in old) if isinstance(old, tuple) else float(old * value)
        else:
            given[field] = tuple(float(v * value) if k == level else v for k, v in enumerate(old))
    # The chord is a share of the arc, between nearly straight and a strong hook.
    share = given["straight_length_mm"] / preset.ventral_arc_mm
    given["straight_length_mm"] = float(np.clip(share, 0.78, 0.99)) * sum(given["body_heights_mm"])
    return replace(preset, **given)
