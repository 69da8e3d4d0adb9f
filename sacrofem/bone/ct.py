"""CT to density: one value an element, the volume average of the trilinear CT field over the tet.

In a case the CT is ``anatomy.ct``, its calibration `calibration(kind, hu, density)` and its surface `rim`. The CT is
in the scanner's LPS axes; `CTVolume.moved` brings it into the frame of the mesh.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from sacrofem.bone.imagefacts import ImageFacts
from sacrofem.errors import InputError
from sacrofem.mesh.tetmesh import TET_EDGES, TetMesh
from sacrofem.system.arrays import BoolArray, FloatArray

Rim = Literal["membrane", "ct"]
CalibrationKind = Literal["generic", "phantom", "two-tissue"]

#: What 12 bits with the usual offset can hold, HU.
HU_RANGE = (-1024.0, 3071.0)
#: Below this is air or bowel gas and never bone or marrow (fat reads about -100 HU) [K].
AIR_HU = -300.0
#: Share of the volume out of range, too dense, of air, or of a density below 0, above which the CT is refused.
MOST_BAD_SHARE = 0.5
#: Bounds in HU between air or metal artefact, fat (yellow marrow), marrow and sparse bone, bone, and metal or dense
#: cortex. Group with an alar void: L5 below 100 HU (Wagner 2016 [A]); fat reads about -100 HU, its bounds are [K].
HU_BOUNDS = (-200.0, -30.0, 100.0, 1500.0)
HU_BANDS = ("below_-200", "fat", "marrow", "bone", "above_1500")
_BAND_WORDS = ("below −200 HU", "fat", "marrow", "bone", "above 1500 HU")
#: No sacrum reads above this in half of its volume: cancellous bone of S1 has 40 HU in insufficiency fractures (Wagner
#: 2018 [A]) and several times that in the young [K]. Numbers that still hold the 1024 of their storage do.
DENSE_HU = 700.0
_STORED_OFFSET = 1024.0
# What is scaled to 0 to 1, or by its own mean and scatter, lies within; marrow alone spreads further [K].
_SCALED = 5.0
#: Sub-tets are at most this share of the smallest voxel edge long, up to `_MOST_DIVISIONS`.
_STEP = 0.5
_MOST_DIVISIONS = 12
_CHUNK = 400_000


@dataclass(frozen=True, eq=False)
class CTVolume:
    """CT numbers on a grid of any orientation and spacing.

    Attributes
    ----------
    hu : (ni, nj, nk)
        HU, in the order of the image's own axes.
    affine : (4, 4)
        Voxel index (i, j, k, 1) of a voxel's centre to mm, in LPS axes or those of the mesh.
    file
        Where it comes from, for messages.
    facts : ImageFacts or None
        Of the image that it was read from.
    offset_hu : float or None
        What was added to the numbers of that image on purpose; also 0 says that they are HU.
    """

    hu: NDArray[np.generic]
    affine: FloatArray
    file: str | None = None
    facts: ImageFacts | None = None
    offset_hu: float | None = None

    def __post_init__(self) -> None:
        affine = np.asarray(self.affine, dtype=float)
        if self.hu.ndim != 3 or min(self.hu.shape) < 2:
            raise InputError(
                f"a CT has three axes of two voxels or more, not {self.hu.shape}", file=self.file, mend="give a volume"
            )
        sound = affine.shape == (4, 4) and bool(np.isfinite(affine).all())
        if not sound or not abs(np.linalg.det(affine[:3, :3])) > 1e-9:
            raise InputError(
                "has no usable affine from voxels to mm", file=self.file, mend="export it again with its orientation"
            )

    @property
    def spacing(self) -> FloatArray:
        """(3,) edge lengths of a voxel, mm."""
        return np.asarray(np.linalg.norm(np.asarray(self.affine)[:3, :3], axis=0))

    def moved(self, transform: FloatArray) -> CTVolume:
        """The same CT where a (4, 4) transform takes it, such as from the scanner's axes to the anatomical frame."""
        return replace(self, affine=np.asarray(transform, dtype=float) @ self.affine)

    def indices(self, points: FloatArray) -> FloatArray:
        """(n, 3) fractional voxel indices of points in mm."""
        return np.asarray(np.linalg.solve(self.affine[:3, :3], (points - self.affine[:3, 3]).T).T)

    def at(self, points: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Trilinear HU (n,) at points (n, 3) in mm, and which lie within the outermost voxel centres."""
        index, last = self.indices(points), np.array(self.hu.shape) - 1.0
        # A point on the outermost centres is inside in spite of rounding.
        inside = ((index >= -1e-6) & (index <= last + 1e-6)).all(axis=1)
        value = ndimage.map_coordinates(
            self.hu, np.clip(index, 0.0, last).T, output=np.float64, order=1, mode="nearest", prefilter=False
        )
        return np.asarray(value), np.asarray(inside)


# ------------------------------------------------------------------ calibration
@dataclass(frozen=True)
class Calibration:
    """The line from CT number to density: ``slope`` HU + ``intercept`` in g/cm³, never below 0.

    ``source`` says where the line comes from, ``warnings`` what speaks against it.
    """

    slope: float
    intercept: float
    source: str
    warnings: tuple[str, ...] = ()

    def __call__(self, hu: FloatArray) -> FloatArray:
        """Calibrated QCT density, g/cm³; may be negative, as fat reads below water."""
        return np.asarray(self.slope * np.asarray(hu, dtype=float) + self.intercept)


#: (0.810 HU + 0.84) mg/cm³ (Diagnostics 2025 [D] from [T]).
GENERIC = Calibration(0.810e-3, 0.84e-3, "generic line: 0.810 HU + 0.84 mg/cm³; the scanner was not calibrated")


def calibration(
    kind: CalibrationKind = "generic", hu: Sequence[float] = (), density_g_cm3: Sequence[float] = ()
) -> Calibration:
    """The calibration of a CT.

    Parameters
    ----------
    kind
        ``generic``: `GENERIC`. ``phantom``: least squares through the rods of a phantom, two or more.
        ``two-tissue``: the line through two tissues measured in the same scan (such as fat and muscle or blood),
        whose equivalent densities the user gives: those in print depend on the phantom that they stand for.
    hu, density_g_cm3
        Mean CT number and density of each rod or tissue.

    Raises
    ------
    InputError
        Too few or unequal numbers, not finite, or a line that does not rise.
    """
    if kind == "generic":
        return GENERIC
    if kind not in ("phantom", "two-tissue"):
        mend = "use generic, phantom or two-tissue"
        raise InputError("no such calibration", field="materials.calibration", value=kind, mend=mend)
    x, y = np.asarray(hu, dtype=float), np.asarray(density_g_cm3, dtype=float)
    wanted = len(x) == 2 if kind == "two-tissue" else len(x) >= 2
    if not wanted or len(x) != len(y) or not (np.isfinite(x).all() and np.isfinite(y).all()):
        count = "two" if kind == "two-tissue" else "two or more"
        raise InputError(
            f"needs {count} finite CT numbers and as many densities",
            field="materials.calibration_hu",
            value=list(hu),
            mend="give calibration_hu = [..] and calibration_density_g_cm3 = [..] of equal length",
        )
    if np.ptp(x) < 1.0:
        mend = "measure tissues or rods that differ"
        raise InputError("its CT numbers are equal", field="materials.calibration_hu", value=list(hu), mend=mend)
    slope, intercept = (float(value) for value in np.polyfit(x, y, 1))
    if not slope > 0.0:
        mend = "check the order of the two lists; density is in g/cm³"
        raise InputError("density falls with HU", field="materials.calibration_density_g_cm3", mend=mend)
    notes = []
    spread = float(np.sum((y - y.mean()) ** 2))
    if (share := 1.0 - float(np.sum((y - slope * x - intercept) ** 2)) / spread) < 0.99:
        notes.append(f"the rods lie on no line (R² = {share:.3f}): measure them again")
    # The slope at 120 kV is near 0.8 mg/cm³ per HU; mg/cm³ for g/cm³ would be a thousand times that.
    if not 0.2e-3 <= slope <= 3e-3:
        notes.append(f"a slope of {slope * 1e3:.3g} mg/cm³ per HU is unusual: is density in g/cm³?")
    source = f"{kind}: {slope * 1e3:.4g} HU + {intercept * 1e3:.4g} mg/cm³ from {len(x)} points"
    return Calibration(slope, intercept, source, tuple(notes))


# ------------------------------------------------------------------ elements
@dataclass(frozen=True, eq=False)
class CTDensity:
    """Density of every element from a CT.

    Attributes
    ----------
    hu : (m,)
        Volume average over the element, values out of range clipped.
    density : (m,)
        Calibrated QCT density, g/cm³.
    negative
        Elements whose density came out below 0 and is 0.
    clipped_share, air_share, outside_share
        Of the bone's volume: values outside `HU_RANGE`, below `AIR_HU`, and beyond the CT.
    shares : tuple of float
        Of the bone's volume within the CT in each of `HU_BANDS`.
    rim_elements
        Elements with no volume below the rim, which took the value of the nearest one that has.
    membrane
        Whether the cortical membrane stands for the cortex; False where the CT does.
    warnings : tuple of str
    """

    hu: FloatArray
    density: FloatArray
    negative: int
    clipped_share: float
    air_share: float
    outside_share: float
    rim_elements: int
    membrane: bool
    warnings: tuple[str, ...]
    shares: tuple[float, ...] = ()


def shares_text(shares: Sequence[float]) -> str:
    """A histogram of CT numbers in words."""
    return ", ".join(f"{100 * share:.3g} % {word}" for share, word in zip(shares, _BAND_WORDS, strict=True))


def element_density(
    mesh: TetMesh,
    volume: CTVolume,
    calibration: Calibration = GENERIC,
    *,
    rim: Rim = "membrane",
    rim_mm: float | None = None,
) -> CTDensity:
    """Average a CT over every tet and calibrate it.

    The field is averaged by the centroid rule on equal sub-tets no longer than half a voxel, which is exact for a
    field that is linear in the tet. (Where a tet is longer than six voxels its sub-tets are coarser.)

    At the surface voxels are partly soft tissue, and hold the cortex. With ``rim = "membrane"`` the cortical
    membrane stands for the cortex: what lies less than ``rim_mm`` below the outer surface is left out of the
    averages, and an element with nothing below takes the value of the nearest one that has. With ``rim = "ct"``
    nothing is left out and there must be no membrane (`CTDensity.membrane`): never both.

    Parameters
    ----------
    mesh
        In the frame of ``volume``. Its outer surface is where the cortical membrane lies.
    volume
    calibration
    rim, rim_mm
        Depth of the rim in mm, kept to about an eighth; not given: the diagonal of half a voxel and 0.5 mm of cortex.

    Raises
    ------
    InputError
        NaN in the bone, an element outside the CT, most of it out of range, air or below 0 g/cm³, numbers that are no
        HU, an unknown rim.
    """
    if rim not in ("membrane", "ct"):
        raise InputError("no such rim", field="materials.rim", value=rim, mend="use membrane or ct")
    depth = 0.5 * float(np.linalg.norm(volume.spacing)) + 0.5 if rim_mm is None else rim_mm
    if not (np.isfinite(depth) and depth >= 0.0):
        raise InputError("must not be negative", field="materials.rim_mm", value=rim_mm, mend="give a depth in mm")
    m = len(mesh.tets)
    all_sum, all_count, deep_sum, deep_count, total = (np.zeros(m) for _ in range(5))
    clipped, air, nan, dense = np.zeros(m), np.zeros(m), 0, np.zeros(m)
    bands, low, high = np.zeros((len(HU_BANDS), m)), np.inf, -np.inf
    away = _distance_to_surface(mesh, depth) if rim == "membrane" and depth > 0.0 else None
    for tets, points in _samples(mesh, _STEP * float(volume.spacing.min())):
        value, inside = volume.at(points.reshape(-1, 3))
        nan += int(np.count_nonzero(~np.isfinite(value) & inside))
        if inside.any():
            low, high = min(low, float(value[inside].min())), max(high, float(value[inside].max()))
        bad = inside & ((value < HU_RANGE[0]) | (value > HU_RANGE[1]))
        shape, value = points.shape[:2], np.clip(value, *HU_RANGE)
        weight = inside.reshape(shape)
        value = value.reshape(shape)
        all_sum[tets], all_count[tets] = (value * weight).sum(axis=1), weight.sum(axis=1)
        total[tets] = shape[1]
        clipped[tets] = bad.reshape(shape).sum(axis=1)
        air[tets] = (weight & (value < AIR_HU)).sum(axis=1)
        dense[tets] = (weight & (value > DENSE_HU)).sum(axis=1)
        band = np.searchsorted(HU_BOUNDS, value, side="right")
        for k in range(len(HU_BANDS)):
            bands[k, tets] = (weight & (band == k)).sum(axis=1)
        if away is not None:
            weight = weight & (away.at(points.reshape(-1, 3))[0].reshape(shape) > depth)
        deep_sum[tets], deep_count[tets] = (value * weight).sum(axis=1), weight.sum(axis=1)
    if nan:
        raise InputError(
            f"{nan} values in the bone are not numbers", file=volume.file, field="anatomy.ct", mend="export it again"
        )
    if missing := int(np.count_nonzero(all_count == 0)):
        raise InputError(
            f"{missing} of {m} elements lie outside the CT",
            file=volume.file,
            field="anatomy.ct",
            mend="give a CT that covers the whole sacrum, in the same frame",
        )
    volumes = mesh.volumes / mesh.volumes.sum()
    shares = [float(volumes @ (part / total)) for part in (clipped, air, total - all_count)]
    histogram = bands / total @ volumes
    _check_hu(volume, low, high, float(volumes @ (dense / total)) / (1.0 - shares[2]))
    notes = [*calibration.warnings, *_judge(volume, *shares)]
    has = deep_count > 0
    if not has.any():
        raise InputError(
            f"no bone lies {depth:.2g} mm below the surface",
            file=volume.file,
            field="materials.rim",
            value=rim,
            mend='use rim = "ct", or a CT of smaller voxels',
        )
    hu = np.divide(deep_sum, deep_count, out=np.zeros(m), where=has)
    if not has.all():
        nearest = KDTree(mesh.centroids[has]).query(mesh.centroids[~has])[1]
        hu[~has] = hu[has][nearest]
    density = calibration(hu)
    if negative := int(np.count_nonzero(density < 0.0)):
        below = float(volumes[density < 0.0].sum())
        text = f"{negative} of {m} elements ({100 * below:.3g} % of the bone) read below 0 g/cm³, as fat does"
        if below > MOST_BAD_SHARE:
            raise InputError(
                text, file=volume.file, field="materials.calibration", mend="check the calibration and the frame"
            )
        notes.append(f"{text}, and count as 0")
    rim_elements = int(np.count_nonzero(~has))
    return CTDensity(
        hu, np.maximum(density, 0.0), negative, shares[0], shares[1], shares[2], rim_elements, rim == "membrane",
        tuple(notes), tuple(float(share) for share in histogram / histogram.sum()),
    )  # fmt: skip


def _check_hu(volume: CTVolume, low: float, high: float, dense: float) -> None:
    """Refuse numbers that are no HU, unless the case says what they are; from least and most in the bone."""
    if volume.offset_hu is not None:
        return
    reason, offset = None, 0.0
    if dense > MOST_BAD_SHARE and high <= HU_RANGE[1] + 2 * _STORED_OFFSET:
        reason = f"{100 * dense:.3g} % of the bone reads above {DENSE_HU:g} HU: this looks like HU + {_STORED_OFFSET:g}"
        offset = -_STORED_OFFSET
    elif volume.hu.dtype.itemsize == 1:
        reason = "its numbers have 8 bits, a picture with 256 greys and no HU"
    elif max(abs(low), abs(high)) < _SCALED and high - low > 1e-3:
        reason = f"its numbers lie between {low:.3g} and {high:.3g} in the bone: they were scaled and are no HU"
    if reason is not None:
        raise InputError(
            reason, file=volume.file, field="anatomy.ct",
            mend="export it with slope and intercept, or say what is to be added on purpose: "
            f"anatomy.ct_offset_hu = {offset:g}",
        )  # fmt: skip


def _judge(volume: CTVolume, clipped: float, air: float, outside: float) -> Iterator[str]:
    """Warnings on the shares of the bone's volume; refuses a CT that cannot be one of this bone."""
    kinds = (
        (clipped, f"reads below {HU_RANGE[0]:g} or above {HU_RANGE[1]:g} HU", "is it in HU, with slope and intercept?"),
        (
            air,
            f"reads below {AIR_HU:g} HU, which is air",
            "do mesh and CT lie in one frame, and was -1024 added twice?",
        ),
    )
    for share, what, question in kinds:
        text = f"{100 * share:.3g} % of the bone's volume {what}"
        if share > MOST_BAD_SHARE:
            raise InputError(text, file=volume.file, field="anatomy.ct", mend=question)
        if share > 0.0:
            yield f"{text}: {question}"
    if outside > 0.0:
        yield f"{100 * outside:.3g} % of the bone's volume lies beyond the CT and was left out of the averages"


def _samples(mesh: TetMesh, step_mm: float) -> Iterator[tuple[NDArray[np.intp], FloatArray]]:
    """Elements and the centroids (n, k³, 3) of their equal sub-tets, in pieces of bounded size."""
    ends = mesh.points[mesh.tets[:, TET_EDGES]]
    longest = np.linalg.norm(ends[:, :, 1] - ends[:, :, 0], axis=2).max(axis=1)
    divisions = np.clip(np.ceil(longest / step_mm), 1, _MOST_DIVISIONS).astype(int)
    for k in np.unique(divisions):
        barycentric = sub_centroids(int(k))
        members = np.flatnonzero(divisions == k)
        size = max(_CHUNK // len(barycentric), 1)
        for start in range(0, len(members), size):
            tets = members[start : start + size]
            yield tets, np.einsum("qc,tcx->tqx", barycentric, mesh.points[mesh.tets[tets]])


def sub_centroids(k: int) -> FloatArray:
    """(k³, 4) barycentric centroids of the k³ equal tets into which Kuhn's division cuts one."""
    corners = np.stack(np.meshgrid(*[np.arange(k)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    # The tet of a permutation runs from the corner of a cube along its axes: its centroid has ¾, ½ and ¼ of them.
    inner = np.array([[p.index(axis) for axis in range(3)] for p in permutations(range(3))])
    centroids = (corners + (3 - inner) / 4.0).reshape(-1, 3) / k
    x, y, z = centroids[(np.diff(centroids, axis=1) < 0).all(axis=1)].T
    return np.stack([1 - x, x - y, y - z, z], axis=1)


def _distance_to_surface(mesh: TetMesh, depth_mm: float) -> CTVolume:
    """Distance from the outer surface in mm on a lattice, right to about half its step: a quarter of the depth."""
    step = float(np.clip(0.25 * depth_mm, 0.3, 1.0))
    on_surface = _outer_points(mesh, step)
    low = mesh.points.min(axis=0) - step
    shape = np.ceil((mesh.points.max(axis=0) + step - low) / step).astype(int) + 1
    free = np.ones(shape, bool)
    free[tuple(np.rint((on_surface - low) / step).astype(int).T)] = False
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = low
    return CTVolume(np.asarray(ndimage.distance_transform_edt(free, sampling=step), dtype=np.float32), affine)


def _outer_points(mesh: TetMesh, step_mm: float) -> FloatArray:
    """Points on the surface that was outer before any cut, no further from one another than about ``step_mm``."""
    assert mesh.pair_side is not None
    outer = mesh.face_sets.get("outer", np.ones(len(mesh.faces), bool)) & (mesh.pair_side == 0)
    outer = outer & ~mesh.face_sets.get("cut", np.zeros(len(mesh.faces), bool))
    corners = mesh.points[mesh.faces[outer]]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    divisions = np.ceil(longest / step_mm).clip(1).astype(int)
    points = [np.empty((0, 3))]
    for k in np.unique(divisions):
        i, j = (axis.ravel() for axis in np.meshgrid(np.arange(k + 1), np.arange(k + 1), indexing="ij"))
        i, j = i[i + j <= k], j[i + j <= k]
        barycentric = np.stack([i, j, k - i - j], axis=1) / k
        points.append(np.einsum("qc,fcx->fqx", barycentric, corners[divisions == k]).reshape(-1, 3))
    return np.concatenate(points)
