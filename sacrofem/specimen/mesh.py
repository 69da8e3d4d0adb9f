"""Where the mesh of a case comes from: shipped, made from the built-in sacrum, or the user's own file."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Callable, Sequence
from pathlib import PurePath

import numpy as np

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum
from sacrofem.anatomy.scan.surface import UNIT_MM
from sacrofem.anatomy.solid import Landmarks, Side, Solid
from sacrofem.case.case import Case
from sacrofem.errors import InputError
from sacrofem.mesh.files.files import read_mesh, reference_mesh
from sacrofem.mesh.labels import label_faces
from sacrofem.mesh.make.body import SizeRegion, mesh_half, mesh_solid
from sacrofem.mesh.make.fracture import cut
from sacrofem.mesh.make.surfaces import FractureSurface, fracture_surfaces, left_half, plane
from sacrofem.mesh.quality import check_mesh, element_quality
from sacrofem.mesh.restrict import hemisacrum
from sacrofem.mesh.split import mirror_and_join
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray

# Edge length at the fracture of the shipped meshes (meshes/build.py).
REFERENCE_FRACTURE_MM = {"tiny": 7.0, "coarse": 2.5, "medium": 1.6}
# The distance from the joint that the shipped fractured meshes were built with.
REFERENCE_JOINT_DISTANCE_MM = 12.0
FRACTURE_SIZE_SHARE = 0.6
# About that of the shipped medium mesh, for anatomies that none is shipped of.
DEFAULT_SIZE_MM = 4.0
# Quality of an own tet below which a reader of the result must know of it.
LEAST_QUALITY = 0.05
BY_GEOMETRY = "by-geometry"


def case_surfaces(case: Case, landmarks: Landmarks, side: Side | None = None) -> tuple[FractureSurface, ...]:
    """The fracture surfaces of a case: its pattern (on ``side``, where one is given) and its own planes."""
    fracture = case.fracture
    named: tuple[FractureSurface, ...] = ()
    if fracture.zone != "none":
        named = fracture_surfaces(
            fracture.zone,
            side or fracture.side,
            landmarks,
            joint_distance_mm=fracture.joint_distance_mm,
            allow_near_joint=fracture.allow_near_joint,
            tilt_deg=fracture.tilt_deg,
            extent=fracture.extent,
            extent_from=fracture.extent_from,
        )
    own = (plane(s.name, s.point, s.normal, s.radius_mm) for s in fracture.surfaces)
    return (*named, *own)


def sacrum_mesh(
    solid: Solid,
    surfaces: Sequence[FractureSurface] = (),
    *,
    size_mm: float,
    fracture_size_mm: float | None = None,
    lattice_mm: float = 2.0,
    hausdorff_mm: float | None = None,
    replicate: int = 0,
) -> TetMesh:
    """A sacrum, meshed, its surfaces named, and fractured.

    Where the fractures of the left side are the mirror image of those of the right one, half of it
    is meshed and cut, so that the whole is symmetric to the last bit.

    Parameters
    ----------
    solid
        With landmarks.
    surfaces
        Fractures.
    size_mm, fracture_size_mm
        Edge length away from the fractures and at them.
    lattice_mm, hausdorff_mm, replicate
        See ``mesh_solid``.
    """
    regions = [SizeRegion(_distance(surface), fracture_size_mm) for surface in surfaces if fracture_size_mm is not None]
    landmarks = solid.landmarks
    assert landmarks is not None
    # Of any other solid no better outline of the joint is known than its ellipse.
    outline = solid.auricular_distance if isinstance(solid, ParametricSacrum) else None
    left = left_half(surfaces) if solid.symmetric else None
    if left is not None:
        half = mesh_half(
            solid, size_mm=size_mm, regions=regions, lattice_mm=lattice_mm, hausdorff_mm=hausdorff_mm,
            replicate=replicate,
        )  # fmt: skip
        half = label_faces(half, landmarks, auricular_outline=outline)
        return mirror_and_join(cut(half, left, size_mm=fracture_size_mm) if left else half)
    whole = mesh_solid(
        solid, size_mm=size_mm, regions=regions, lattice_mm=lattice_mm, hausdorff_mm=hausdorff_mm, replicate=replicate
    )
    whole = label_faces(whole, landmarks, auricular_outline=outline)
    return cut(whole, surfaces, size_mm=fracture_size_mm)


def _distance(surface: FractureSurface) -> Callable[[FloatArray], FloatArray]:
    def distance(points: FloatArray) -> FloatArray:
        away = np.abs(surface.level(points))
        return away if surface.extent is None else np.maximum(away, surface.extent(points))

    return distance


LEAST_MM2 = {"endplate": 400.0, "auricular_left": 400.0, "auricular_right": 400.0}
"""Loaded and held faces of a scan smaller than that were not found: 800 to 1400 and 1070 to 1620 mm² are usual
(endplate by its diameters, MRI, 25 + 25 [A]; joints: CT osteoabsorptiometry [A])."""


def check_found(mesh: TetMesh, path: str | None, notes: Sequence[str] = ()) -> None:
    """Refuse a scan on which endplate or joints were not found; ``notes`` on its file may say why."""
    for name, least in LEAST_MM2.items():
        area = float(mesh.face_areas[mesh.face_sets[name]].sum())
        if area < least:
            raise InputError(
                "; ".join((f"only {area:.0f} mm² of {name} were found on the bone", *notes)),
                file=path,
                field="anatomy.path",
                mend="give the surface or the label of a whole sacrum, or its landmarks in [anatomy.landmarks]",
            )


def case_mesh(case: Case, solid: Solid, landmarks: Landmarks) -> tuple[TetMesh, tuple[str, ...]]:
    """The fractured mesh of a case, and notes on it.

    Raises
    ------
    InputError
        The file or the fracture is refused.
    """
    notes: list[str] = []
    if case.anatomy.kind == "mesh":
        mesh = _own(case, landmarks, notes)
    elif uses_reference(case):
        mesh = _reference(case, landmarks)
    else:
        size, finer = _sizes(case)
        if case.mesh.size_mm is None:
            notes.append(f"no shipped mesh has this anatomy: meshed at {size:g} mm, whatever mesh.reference says")

        def make(surfaces: Sequence[FractureSurface]) -> TetMesh:
            return sacrum_mesh(solid, surfaces, size_mm=size, fracture_size_mm=finer, replicate=case.mesh.replicate)

        mesh = _symmetric(case, landmarks, make) if solid.symmetric else make(case_surfaces(case, landmarks))
        if case.anatomy.kind != "parametric":
            check_found(mesh, case.anatomy.path)
    if case.anatomy.half != "none":
        mesh = hemisacrum(mesh, case.anatomy.half)
    return mesh, tuple(notes)


def _symmetric(case: Case, landmarks: Landmarks, make: Callable[[Sequence[FractureSurface]], TetMesh]) -> TetMesh:
    """A fractured mesh of a symmetric sacrum; that of the right side is the mirror image of that of the left.

    Mmg does not cut two mirror images alike, and the side must not change a result.
    """
    fracture = case.fracture
    if fracture.zone in ("zone1", "zone2") and fracture.side == "right" and not fracture.surfaces:
        return make(case_surfaces(case, landmarks, "left")).mirrored()
    return make(case_surfaces(case, landmarks))


def uses_reference(case: Case) -> bool:
    """Whether a case is solved on a shipped mesh, cut where it has a fracture of its own."""
    anatomy = case.anatomy
    return (
        anatomy.kind == "parametric"
        and case.mesh.size_mm is None
        and anatomy.sex == "female"
        and not anatomy.parameters
    )


def mesh_origin(case: Case) -> str:
    """Where the mesh of a case comes from, in words."""
    if case.anatomy.kind == "mesh":
        return f"{PurePath(case.anatomy.path or '').name}, as it is"
    if uses_reference(case):
        return f"shipped mesh “{case.mesh.reference}”"
    size, finer = _sizes(case)
    return f"made at {size:g} mm, {finer:g} mm at the fracture"


def _sizes(case: Case) -> tuple[float, float]:
    """Edge length in mm away from the fracture and at it."""
    size = case.mesh.size_mm or DEFAULT_SIZE_MM
    return size, case.mesh.fracture_size_mm or FRACTURE_SIZE_SHARE * size


def _reference(case: Case, landmarks: Landmarks) -> TetMesh:
    name, fracture = case.mesh.reference, case.fracture
    if fracture.zone == "none" and not fracture.surfaces:
        return reference_mesh(f"sacrum-{name}-intact")
    shipped = (
        fracture.zone == "zone1"
        and fracture.joint_distance_mm == REFERENCE_JOINT_DISTANCE_MM
        and fracture.tilt_deg == 0
        and fracture.extent == 1.0
        and not fracture.surfaces
    )
    if not shipped:
        intact = reference_mesh(f"sacrum-{name}-intact")
        return _symmetric(case, landmarks, lambda surfaces: cut(intact, surfaces, size_mm=REFERENCE_FRACTURE_MM[name]))
    mesh = reference_mesh(f"sacrum-{name}-bilateral")
    if fracture.side != "both":
        whole = "right" if fracture.side == "left" else "left"
        mesh = mesh.glued(mesh.face_sets[f"fracture_zone1_{whole}"])[0]
    return mesh


def _own(case: Case, landmarks: Landmarks, notes: list[str]) -> TetMesh:
    path = case.anatomy.path
    assert path is not None
    mesh = read_mesh(path)
    if case.anatomy.units != "mm":
        scale = UNIT_MM[case.anatomy.units]
        mesh = TetMesh(
            mesh.points * scale, mesh.tets, mesh.faces, mesh.tet_sets, mesh.face_sets, mesh.pair, mesh.pair_side
        )
    check_mesh(mesh, path, sacrum_units=True)
    mesh = _renamed(mesh, path, case, landmarks, notes)
    _check_named_faces(mesh, path, ("left", "right") if case.anatomy.half == "none" else (case.anatomy.half,))
    quality = element_quality(mesh.points, mesh.tets)
    if poor := int(np.count_nonzero(quality < LEAST_QUALITY)):
        notes.append(
            f"{poor} tets of {path} are of quality below {LEAST_QUALITY:g}, the worst, number {quality.argmin()}, "
            f"of {quality.min():.2g}: stress there means little"
        )
    if not case.anatomy.landmarks and case.anatomy.landmarks_file is None:
        notes.append(f"landmarks of {path} are those of the built-in sacrum: density map and needles follow them")
    surfaces = case_surfaces(case, landmarks)
    if len(mesh.paired[0]):
        if not surfaces:
            notes.append(f"{path} is fractured; the case has no fracture, so its faces were tied")
            return mesh.glued()[0]
        notes.append(f"{path} is fractured already: its own fracture stands in place of fracture.zone")
        return mesh
    if not surfaces:
        return mesh
    return cut(mesh, surfaces, size_mm=case.mesh.fracture_size_mm)


def _renamed(mesh: TetMesh, path: str, case: Case, landmarks: Landmarks, notes: list[str]) -> TetMesh:
    """The mesh with the sets that the case names: those of its own under our names, and those found from landmarks."""
    found = dict(mesh.face_sets)
    by_geometry = None
    for name, theirs in case.anatomy.sets.items():
        if theirs == BY_GEOMETRY:
            if by_geometry is None:
                by_geometry = label_faces(mesh, landmarks).face_sets
            found[name] = by_geometry[name]
            area = float(mesh.face_areas[found[name]].sum())
            notes.append(f"{name} of {path} was found from the landmarks: {area:.0f} mm²")
        elif theirs in mesh.face_sets:
            found[name] = mesh.face_sets[theirs]
        else:
            raise InputError(
                f"the mesh has no faces of that name; it has {', '.join(sorted(mesh.face_sets)) or 'no names'}",
                file=path,
                field=f"anatomy.sets.{name}",
                value=theirs,
                mend=f'name one of them, or "{BY_GEOMETRY}"',
            )
    return mesh.with_sets(face_sets=found) if case.anatomy.sets else mesh


def _check_named_faces(mesh: TetMesh, path: str, sides: Sequence[Side]) -> None:
    """Refuse a mesh that does not name its loaded and its held faces, or names one face as two of them."""
    needed = ("endplate", *(f"auricular_{side}" for side in sides))
    has = [name for name, members in mesh.face_sets.items() if members.any()]
    for name in needed:
        if name not in has:
            close = difflib.get_close_matches(name, has, n=1)
            raise InputError(
                f"the mesh has no faces named {name}; it has {', '.join(sorted(has)) or 'no names'}",
                file=path,
                field="anatomy.path",
                mend=f"did you mean {close[0]}?" if close else "name the loaded and the supported faces",
            )
    for one, other in itertools.combinations(needed, 2):
        if shared := int(np.count_nonzero(mesh.face_sets[one] & mesh.face_sets[other])):
            raise InputError(
                f"{shared} faces are named both {one} and {other}",
                file=path,
                field="anatomy.path",
                mend="a face bears load or is held by one support, not both",
            )
