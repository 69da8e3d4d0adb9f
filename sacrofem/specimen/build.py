"""The parts of a specimen, each from its section of the case, with what a reader has to know of it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from sacrofem.anatomy.frame import Frame
from sacrofem.anatomy.solid import Landmarks, Side, Solid
from sacrofem.bone.laws import bone_volume_fraction
from sacrofem.bone.lesion import Lesion, lesion_bone_volume_fraction, lesion_share
from sacrofem.bone.provenance import DensityProvenance
from sacrofem.case.case import Case
from sacrofem.case.sections import LoadCase
from sacrofem.errors import InputError, SacrofemWarning
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.cortex import Membrane
from sacrofem.mechanics.parts.fragments import check_held
from sacrofem.mechanics.parts.gaplaw import GapCement, GapLaw
from sacrofem.mechanics.parts.interface import Filler, GapStiffness
from sacrofem.mechanics.parts.joint import Joint
from sacrofem.mechanics.parts.loads import (
    DEFAULT_SLOPE_DEG,
    LOADS,
    Load,
    Resultant,
    endplate_faces,
    face_centroid,
    facet_faces,
    load,
    load_resultant,
    load_vector,
)
from sacrofem.mechanics.parts.supports import Supports, elastic_supports, fixed_supports
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.specimen.bone import bone_field, case_elasticity, case_membrane
from sacrofem.specimen.mesh import case_mesh
from sacrofem.specimen.provenance import BoneProvenance
from sacrofem.system.arrays import FloatArray
from sacrofem.system.memory import check_unknowns

Notes = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Bone:
    """Bone of every tet, and the cortex on it.

    Attributes
    ----------
    elasticity : Elasticity
        Without cement.
    density : (m,)
        Calibrated QCT density, g/cm³.
    pores : (m,)
        1 - BV/TV.
    cortex : Membrane
    lesion : Lesion or None
    lesion_fraction : (m,)
        Share of each tet inside the lesion.
    density_provenance : DensityProvenance
        Where density and pores come from.
    """

    elasticity: Elasticity
    density: FloatArray
    pores: FloatArray
    cortex: Membrane
    lesion: Lesion | None
    lesion_fraction: FloatArray
    density_provenance: DensityProvenance

    @property
    def provenance(self) -> BoneProvenance:
        """Where moduli, density and cortex come from."""
        return BoneProvenance.of(self.elasticity, self.density_provenance, self.cortex)


@dataclass(frozen=True, eq=False)
class Loading:
    """What presses on the endplate.

    Attributes
    ----------
    load : Load
    resultant : Resultant
    force : (N, 3)
        Nodal forces, N.
    """

    load: Load
    resultant: Resultant
    force: FloatArray

    def to_json(self) -> dict[str, Any]:
        """Kind and resultant as plain data."""
        return {
            "kind": self.load.kind,
            "force_n": [float(x) for x in self.resultant.force],
            "point_mm": [float(x) for x in self.resultant.point],
            "moment_n_m": [float(x) / 1e3 for x in self.resultant.moment],
        }


def build_mesh(case: Case, solid: Solid, landmarks: Landmarks) -> tuple[TetMesh, Notes]:
    """The mesh of a case; warnings of the mesher are notes too."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mesh, notes = case_mesh(case, solid, landmarks)
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    kept = (str(warning.message) for warning in caught if issubclass(warning.category, SacrofemWarning))
    return mesh, (*notes, *kept)


def check_sets(case: Case, mesh: TetMesh) -> None:
    """Refuse a mesh without the faces that are loaded and held."""
    needed = ["endplate"]
    sides = ("left", "right") if case.anatomy.half == "none" else (case.anatomy.half,)
    needed += [f"auricular_{side}" for side in sides]
    for name in needed:
        if not np.any(mesh.face_sets.get(name, False)):
            raise InputError(
                f"the mesh has no faces named {name}",
                file=case.anatomy.path,
                field="anatomy.path" if case.anatomy.kind == "mesh" else "anatomy.parameters",
                mend=f"name them; it has {', '.join(sorted(mesh.face_sets)) or 'no set at all'}",
            )


def build_space(case: Case, mesh: TetMesh) -> tuple[Space, Notes]:
    """Displacements on the mesh; refuses more unknowns than there is memory for."""
    space = Space(mesh, case.mesh.order)
    if case.mesh.order == 2:
        check_unknowns(3 * space.n_nodes, case.solver.memory_gib)
        return space, ()
    return space, ("P1 is a preview: too stiff, and micromotion can come out far too small; use --order 2",)


def build_bone(case: Case, mesh: TetMesh, landmarks: Landmarks, frame: Frame | None) -> tuple[Bone, Notes]:
    """Density, modulus, pores, lesion and cortex; ``frame`` leads from the axes of a scan to the mesh."""
    found = bone_field(case, mesh, landmarks, frame)
    lesion, lesion_fraction = None, np.zeros(len(mesh.tets))
    bone_fraction = bone_volume_fraction(found.density)
    if case.lesion.kind != "none":
        lesion = Lesion(case.lesion.kind, case.lesion.centre_mm, case.lesion.radii_mm, case.lesion.density_factor)
        lesion_fraction = lesion_share(mesh, lesion)
        found = found.with_lesion(mesh, lesion)
        # A blastic lesion has lost nothing: its pores follow from its density.
        lytic = lesion.density_factor < 1.0
        bone_fraction = (
            lesion_bone_volume_fraction(mesh, bone_fraction, lesion) if lytic else bone_volume_fraction(found.density)
        )
    bone = Bone(
        case_elasticity(case, found.density), found.density, 1.0 - bone_fraction, case_membrane(case, mesh, found),
        lesion, lesion_fraction, found.provenance,
    )  # fmt: skip
    return bone, found.notes


def build_gap_law(case: Case, cement: Filler) -> GapLaw:
    """The law of the unfilled gap; ``cement`` is what a gap filled with it has."""
    fracture = case.fracture
    if fracture.filler == "cement":
        filler = Filler(fracture.filler_modulus_mpa or cement.modulus_mpa, cement.poisson)
    else:
        filler = Filler(fracture.modulus_mpa or 0.0, fracture.filler_poisson)
    return GapLaw(
        fracture.aperture_mm, filler, closes=fracture.closure == "contact", friction=fracture.friction_coefficient
    )


def build_loading(
    case: Case, space: Space, landmarks: Landmarks, section: LoadCase | None = None
) -> tuple[Loading, Notes]:
    """Force and moment on the endplate; of ``[load]``, or of another load case."""
    notes: list[str] = []
    section = case.load if section is None else section
    x, y, z = (own + 1e3 * added for own, added in zip(LOADS[section.kind].moment_nmm, section.moment_n_m, strict=True))
    kind = load(
        section.kind,
        force_n=section.force_n,
        angle_deg=section.slope_deg if section.kind == "free" else None,
        vector_n=section.force_vector_n,
        point_mm=section.point_mm,
        moment_nmm=(x, y, z),
    )
    if section.force_vector_n is not None and section.slope_deg != DEFAULT_SLOPE_DEG:
        notes.append(f"load.slope_deg = {section.slope_deg:g} does not count: the force is given as a vector")
    if section.kind != "free" and kind.angle_deg is not None and section.slope_deg != DEFAULT_SLOPE_DEG:
        notes.append(
            f"load.slope_deg = {section.slope_deg:g} does not count: {kind.kind} acts at {kind.angle_deg:g}° "
            "to the endplate normal"
        )
    if case.anatomy.half != "none" and not kind.one_legged and section.kind != "free" and section.force_n is None:
        notes.append(
            f"half a sacrum bears the whole load ({kind.force_n:g} N): in a symmetric stance it bears half of that"
        )
    faces = endplate_faces(space)
    centre = face_centroid(space, faces) if case.anatomy.half != "none" else None
    resultant = load_resultant(landmarks, kind, slope_deg=section.slope_deg, centre=centre)
    if section.facet_share == 0.0:
        return Loading(kind, resultant, load_vector(space, faces, resultant)), tuple(notes)
    if resultant.magnitude == 0.0:
        notes.append(f"load.facet_share = {section.facet_share:g} does not count: the load is a moment alone")
    return _over_facets(space, landmarks, kind, resultant, section.facet_share), tuple(notes)


def _over_facets(space: Space, landmarks: Landmarks, kind: Load, whole: Resultant, share: float) -> Loading:
    """A load of which a share of the force passes over the facets, evenly over those that are there."""
    facets = facet_faces(space, landmarks)
    on_endplate = Resultant((1.0 - share) * whole.force, whole.point, whole.moment)
    nodal, moment = load_vector(space, endplate_faces(space), on_endplate), whole.moment
    for faces in facets.values():
        force, centre = share / len(facets) * whole.force, face_centroid(space, faces)
        nodal = nodal + load_vector(space, faces, Resultant(force, centre, np.zeros(3)))
        moment = moment + np.cross(centre - whole.point, force)
    return Loading(kind, Resultant(whole.force, whole.point, moment), nodal)


def build_supports(case: Case, space: Space, landmarks: Landmarks, kind: Load) -> Supports:
    """Joints and ligaments; in one-legged stance those of the swing side bear nothing."""
    free = _swing_side(case, kind)
    if case.supports.kind == "fixed":
        return fixed_supports(space, free_side=free)
    layer, bands = case.supports.joint, case.supports.ligament_stiffness
    return elastic_supports(
        space,
        landmarks,
        joint=Joint(layer.modulus_mpa, layer.poisson, layer.thickness_mm, bands.factor),
        stiffness=bands.n_per_mm,
        with_ligaments=case.supports.ligaments,
        free_side=free,
    )


def _swing_side(case: Case, kind: Load) -> Side | None:
    """In one-legged stance on a whole sacrum the load leaves through the broken (else the left) side."""
    if not kind.one_legged or case.anatomy.half != "none":
        return None
    return "left" if case.fracture.zone in ("zone1", "zone2") and case.fracture.side == "right" else "right"


def check_nothing_floats(space: Space, supports: Supports, law: GapLaw, bone: Elasticity) -> None:
    """Refuse a piece that moves freely even where the gap, in contact, is closed and sticks."""
    none, nothing = np.zeros(space.gap.areas.shape), GapCement(Filler(0.0))
    gap, contact = law.stiffness(space, bone, none, nothing), law.contact(space, bone, none, nothing)
    if gap is not None and contact is not None:
        sticks = contact.friction > 0.0
        gap = GapStiffness(gap.normal + contact.normal, gap.tangential + contact.tangential * sticks)
    check_held(space, supports if gap is None else (*supports, gap))
