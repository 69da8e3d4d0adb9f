"""The sacrum of a segmented CT (TotalSegmentator's example, Wasserthal 2023), brought to the frame.

Every number here was read off slices and renderings of that one segmentation by hand.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from scans import SurfaceSolid

from sacrofem.anatomy.solid import AuricularFace, Corridor, Landmarks
from sacrofem.mesh.labels import label_faces
from sacrofem.mesh.make.body import mesh_solid

LABELS = (25, 26)
# Centre of the S1 endplate in the scanner's LPS frame, mm. The endplate slopes 45°; the frame wants 40.
_ORIGIN = np.array([-0.7, -119.0, 222.0])
_TURN = np.radians(-5.0)
_AXES = np.array([[1, 0, 0], [0, np.cos(_TURN), -np.sin(_TURN)], [0, np.sin(_TURN), np.cos(_TURN)]])


def _place(*point):
    return _AXES @ (np.array(point, dtype=float) - _ORIGIN)


def _corridor(*stations):
    table = np.array(stations, dtype=float)
    return Corridor((table[:, :3] - _ORIGIN) @ _AXES.T, table[:, 3])


def label_file() -> Path:
    """The label map under SACROFEM_SCANS; skips without it, fails where SACROFEM_REQUIRE asks for scans."""
    given = os.environ.get("SACROFEM_SCANS", "")
    file = Path(given or "nowhere") / "ct_example" / "example_ct_labels.nii.gz"
    if not file.is_file():
        reason = f"no ct_example/example_ct_labels.nii.gz in SACROFEM_SCANS={given!r}"
        if "scans" in os.environ.get("SACROFEM_REQUIRE", ""):
            pytest.fail(reason)
        pytest.skip(reason)
    return file


def landmarks() -> Landmarks:
    """Landmarks by hand; the canal ends blind below S2 in this segmentation, and S4 has no foramina."""
    slope = np.radians(40.0)
    faces = {
        "left": AuricularFace(_place(50.0, -93.8, 209.3), _AXES @ [0.919, 0.388, 0.063], 55.0, 38.0),
        "right": AuricularFace(_place(-51.8, -96.8, 208.7), _AXES @ [-0.926, 0.376, 0.033], 55.0, 38.0),
    }
    stations = {
        "S1_left": [(18, -79, 194, 6.5), (19.5, -71.5, 200, 4.3), (19.5, -70, 206, 4.5), (19.5, -62.5, 213.5, 5)],
        "S1_right": [(-24, -79, 194, 6), (-22.5, -74.5, 200, 4.6), (-22.5, -67, 207.5, 3.5), (-22.5, -62.5, 213.5, 5)],
        "S2_left": [(18, -68, 185, 6), (19.5, -64, 186.5, 4.5), (19.5, -58, 190.5, 2.5), (19.5, -53.5, 191, 4)],
        "S2_right": [(-19.5, -68, 185, 6), (-19.5, -64, 186.5, 4), (-19.5, -58, 191, 2.5), (-19.5, -53.5, 191, 4)],
        "S3_left": [(17, -65, 168, 4), (18.5, -57, 168, 2.2), (20, -49, 169, 4)],
        "S3_right": [(-22, -67, 171, 4), (-23.5, -58, 170, 2.5), (-22, -50, 171, 4)],
    }
    foramina = {name: _corridor(*table) for name, table in stations.items()}
    return Landmarks(
        endplate_centre=np.zeros(3),
        endplate_normal=np.array([0.0, -np.sin(slope), np.cos(slope)]),
        promontory=_place(-0.7, -130.0, 211.0),
        apex=_place(-0.7, -58.0, 140.0),
        levels=np.array([
            _place(-0.7, -111, 215), _place(-0.7, -86, 210), _place(-0.7, -64, 203), _place(-0.7, -57, 185),
            _place(-0.7, -56, 165),
        ]),
        auricular=faces,
        canal=_corridor((-0.7, -88, 231, 5), (-0.7, -80, 224, 4.5), (-0.7, -72, 216, 4), (-0.7, -63, 210, 2.5)),
        foramina=foramina,
    )  # fmt: skip


def sacrum() -> SurfaceSolid:
    """The smoothed surface of both labels as a solid with landmarks."""
    import pyvista
    import SimpleITK

    image = SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(label_file())), "LPS")
    mask = np.isin(SimpleITK.GetArrayFromImage(image), LABELS)
    grid = pyvista.ImageData(dimensions=mask.shape[::-1], spacing=image.GetSpacing(), origin=image.GetOrigin())
    grid.point_data["mask"] = mask.astype(np.float32).ravel()
    surface = grid.contour([0.5], scalars="mask").smooth_taubin(n_iter=40, pass_band=0.08)
    surface = surface.extract_largest().clean().fill_holes(20.0).triangulate()
    surface.points = (np.asarray(surface.points, dtype=float) - _ORIGIN) @ _AXES.T
    return SurfaceSolid(surface, landmarks())


def body(solid: SurfaceSolid, *, size_mm: float, lattice_mm: float):
    """A mesh of it with its faces named."""
    return label_faces(mesh_solid(solid, size_mm=size_mm, lattice_mm=lattice_mm), solid.landmarks)
