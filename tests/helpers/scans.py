"""The scanned sacrum of the Visible Human male (Remus 2021), brought to the frame.

Every number here was read off renderings and sections of that one surface by hand.
"""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest

from sacrofem.anatomy.solid import AuricularFace, Corridor, Landmarks
from sacrofem.case.case import Case
from sacrofem.mesh.labels import label_faces
from sacrofem.mesh.make.body import SizeRegion, mesh_solid
from sacrofem.mesh.make.fracture import cut
from sacrofem.mesh.make.surfaces import FractureSurface, fracture_surfaces
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray

ATTRIBUTION = "Visible Human male, Remus et al. 2021"

# The file has x anterior, y left, z up. Its S1 endplate slopes 33.8 degrees; the frame wants 40.
_ORIGIN = np.array([-0.42, 0.04, 2.60])
_TURN = np.radians(6.2)
_AXES = np.array([[1, 0, 0], [0, np.cos(_TURN), -np.sin(_TURN)], [0, np.sin(_TURN), np.cos(_TURN)]]) @ np.array(
    [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]
)
# The waist between sacrum and coccyx, which are fused here.
_COCCYX_MM = -86.0

# Border of the left auricular face in the lateral view (y, z): in front of the ridge where the hip bone's surface
# comes out of the sacrum's, without the tuberosity behind it, which touches the hip bone too.
EAR = np.array([
    (14, -6), (20, 1), (27, 0), (30, -6), (33, -15), (37, -21), (43, -25.5), (50, -26.5), (58, -28), (66, -31),
    (72, -36), (73, -42), (69, -49), (60, -48), (50, -44), (40, -42), (25, -38), (15, -32), (11, -20),
], dtype=float)  # fmt: skip


def scan_folder() -> Path:
    """The folder that SACROFEM_SCANS names; skips without it, fails where SACROFEM_REQUIRE asks for scans."""
    given = os.environ.get("SACROFEM_SCANS", "")
    folder = Path(given or "nowhere") / "visible_human_male"
    if not (folder / "sacrum.ply").is_file():
        reason = f"no visible_human_male/sacrum.ply in SACROFEM_SCANS={given!r}"
        if "scans" in os.environ.get("SACROFEM_REQUIRE", ""):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


def surface(file: Path):
    """A surface of the data set in the anatomical frame (pyvista.PolyData)."""
    # Here and not above: collecting the quick tests need not wait for VTK.
    import pyvista

    read = pyvista.read(file).triangulate()
    read.points = (np.asarray(read.points, dtype=float) - _ORIGIN) @ _AXES.T
    return read


@dataclass(frozen=True, eq=False)
class SurfaceSolid:
    """A closed surface as a solid.

    Attributes
    ----------
    surface : pyvista.PolyData
    landmarks : Landmarks or None
    """

    surface: object
    landmarks: Landmarks | None = None
    symmetric: bool = False

    @property
    def bounds(self) -> FloatArray:
        return np.reshape(self.surface.bounds, (3, 2)).T

    @cached_property
    def _distance(self):
        from vtkmodules.vtkFiltersCore import vtkImplicitPolyDataDistance

        # Kept: pyvista's own filter builds the search tree anew on every call.
        distance = vtkImplicitPolyDataDistance()
        distance.SetInput(self.surface)
        return distance

    def signed_distance(self, points: FloatArray) -> FloatArray:
        from vtkmodules.util.numpy_support import numpy_to_vtk
        from vtkmodules.vtkCommonCore import vtkDoubleArray

        points = np.ascontiguousarray(points, dtype=float)
        out = np.empty(len(points))
        values: vtkDoubleArray = numpy_to_vtk(out)
        self._distance.FunctionValue(numpy_to_vtk(points), values)
        return out


def visible_human() -> SurfaceSolid:
    """The sacrum without its coccyx."""
    whole = surface(scan_folder() / "sacrum.ply")
    sacrum = whole.clip_closed_surface(normal=(0, 0, 1), origin=(0, 0, _COCCYX_MM)).triangulate().clean()
    return SurfaceSolid(sacrum, landmarks())


def hip_bones() -> SurfaceSolid:
    """Its neighbours, in the same frame."""
    return SurfaceSolid(surface(scan_folder() / "hip_bones.ply"))


def _mirrored(corridor: Corridor) -> Corridor:
    return Corridor(corridor.points * [-1, 1, 1], corridor.radii)


def _corridor(*stations: tuple[float, float, float, float]) -> Corridor:
    table = np.array(stations)
    return Corridor(table[:, :3], table[:, 3])


def landmarks() -> Landmarks:
    """Landmarks of the sacrum; those of the right side mirror the left: its authors symmetrised it to 1.9 mm.

    Corridors are the largest balls that fit into the channels. The posterior foramina of S2 and the whole of S4 are
    dents in this surface: S2 ends blind and S4 is missing.
    """
    slope = np.radians(40)
    foramina = {
        "S1_left": _corridor(
            (25.8, 28.4, -22.2, 6.4), (22.9, 32.6, -14.7, 6.1), (21.6, 37.2, -9.8, 5.1), (23.3, 41.1, -7.4, 3.8),
            (24.8, 43.0, -2.5, 4.2),
        ),
        "S2_left": _corridor((21.1, 58.0, -33.3, 4.2), (16.8, 58.4, -27.3, 4.0), (19.1, 62.7, -28.0, 3.1)),
        "S3_left": _corridor(
            (22.0, 76.2, -45.8, 5.4), (17.3, 76.7, -42.4, 3.3), (20.8, 79.5, -42.9, 3.4), (21.4, 82.9, -39.9, 3.1)
        ),
    }  # fmt: skip
    foramina |= {name.replace("left", "right"): _mirrored(corridor) for name, corridor in foramina.items()}
    # Best plane of what lies within EAR: 1.1 mm root mean square off it.
    normal = np.array([0.938, 0.341, -0.061]) / np.linalg.norm([0.938, 0.341, -0.061])
    left = AuricularFace(np.array([52.0, 38.2, -27.2]), normal, 69.0, 32.5)
    flip = np.array([-1.0, 1.0, 1.0])
    return Landmarks(
        endplate_centre=np.zeros(3),
        endplate_normal=np.array([0.0, -np.sin(slope), np.cos(slope)]),
        promontory=np.array([0.0, -10.3, -11.5]),
        apex=np.array([0.0, 97.0, -86.0]),
        levels=np.array([[0, 14, -9], [0, 39, -24], [0, 60, -36], [0, 79, -50], [0, 93, -73]], dtype=float),
        auricular={
            "left": left,
            "right": AuricularFace(left.centre * flip, left.normal * flip, left.height_mm, left.width_mm),
        },
        canal=_corridor(
            (0.0, 26.4, 10.1, 9.9), (0.0, 34.3, 0.4, 4.9), (0.0, 43.8, -9.1, 5.1), (0.0, 52.4, -15.4, 4.9),
            (0.0, 62.8, -23.1, 3.1), (0.0, 73.7, -32.2, 3.4), (0.0, 83.2, -41.7, 2.9), (0.0, 90.2, -49.8, 3.0),
        ),
        foramina=foramina,
    )  # fmt: skip


# Entry and tip of the left needle: nearly parallel to the endplate as seen from the side, tip in the fracture, 4 mm
# clear of the hip bone and 6 mm of the wall of the nearest foramen.
ENTRY, TIP = (37.4, 37.9, -1.8), (49.5, 21.0, -19.0)
JOINT_DISTANCE_MM = 8.5
"""Of the fracture: the S3 foramen begins 8.7 mm from the joint here."""


def bilateral_case(order: int = 2) -> Case:
    """The default comparison with needles and distance from the joint that suit this sacrum."""
    needles = [
        {"entry_mm": (sign * ENTRY[0], *ENTRY[1:]), "target_mm": (sign * TIP[0], *TIP[1:]), "volume_ml": 2.05}
        for sign in (1.0, -1.0)
    ]
    return Case.preset("sif-bilateral").with_(
        **{
            "fracture.joint_distance_mm": JOINT_DISTANCE_MM,
            "fracture.allow_near_joint": True,
            "cement.injections": needles,
            "mesh.order": order,
        }
    )


def fractures() -> tuple[FractureSurface, ...]:
    """Those of the case."""
    return fracture_surfaces("zone1", "both", landmarks(), joint_distance_mm=JOINT_DISTANCE_MM, allow_near_joint=True)


def meshes(solid: SurfaceSolid, *, size_mm: float, fracture_mm: float, lattice_mm: float) -> tuple[TetMesh, TetMesh]:
    """The unbroken mesh with its faces named, and the same fractured."""
    surfaces = fractures()
    regions = [SizeRegion(lambda points, s=s: np.abs(s.level(points)), fracture_mm) for s in surfaces]
    body = mesh_solid(solid, size_mm=size_mm, regions=regions, lattice_mm=lattice_mm)
    body = label_faces(body, solid.landmarks, auricular_outline=ear_distance)
    return body, cut(body, surfaces, size_mm=fracture_mm)


def section_area(solid: SurfaceSolid, point: FloatArray, normal: FloatArray) -> float:
    """Area in mm² of the solid's section by a plane, by VTK's own triangulation of it."""
    half = solid.surface.clip_closed_surface(normal=-normal, origin=point).triangulate()
    corners = np.asarray(half.points)[half.faces.reshape(-1, 4)[:, 1:]]
    cap = (np.abs((corners - point) @ normal) < 1e-4).all(axis=1)
    sides = corners[cap, 1:] - corners[cap, :1]
    return float(0.5 * np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1).sum())


def ear_distance(points: FloatArray) -> FloatArray:
    """(n,) distance in mm to the outline of the auricular face in the lateral view, negative within."""
    from matplotlib.path import Path as Polygon

    flat = points[:, 1:]
    start, way = EAR, np.roll(EAR, -1, axis=0) - EAR
    along = np.clip(np.einsum("nkd,kd->nk", flat[:, None] - start, way) / (way * way).sum(axis=1), 0.0, 1.0)
    away = np.linalg.norm(flat[:, None] - start - along[..., None] * way, axis=2).min(axis=1)
    return np.where(Polygon(EAR).contains_points(flat), -away, away)
