"""From a case to everything short of a solution: mesh, bone, cement, loads and supports."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from sacrofem.anatomy.solid import Landmarks, Side, Solid
from sacrofem.bone.laws import bone_volume_fraction
from sacrofem.bone.lesion import Lesion, lesion_bone_volume_fraction, lesion_density, lesion_share
from sacrofem.case.case import Case
from sacrofem.case.unused import unused_keys
from sacrofem.cement.mixture import CementMaterial
from sacrofem.cement.safety import Safety
from sacrofem.cement.spread import CementRegion
from sacrofem.errors import InputError, SacrofemWarning
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.contact import Contact, cement_contact, face_closure, joined
from sacrofem.mechanics.parts.cortex import Membrane
from sacrofem.mechanics.parts.fragments import check_held
from sacrofem.mechanics.parts.interface import Filler, GapStiffness, constriction_compliance, gap_stiffness
from sacrofem.mechanics.parts.loads import (
    DEFAULT_SLOPE_DEG,
    Load,
    Resultant,
    endplate_faces,
    face_centroid,
    load,
    load_resultant,
    load_vector,
)
from sacrofem.mechanics.parts.materials import (
    bone_elasticity,
    cemented_elasticity,
    cortex,
    cortical_membrane,
)
from sacrofem.mechanics.parts.supports import Supports, elastic_supports, fixed_supports
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.quality import check_mesh, element_quality
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.specimen.anatomy import case_anatomy, fitted
from sacrofem.specimen.bone import bone_field, own_moduli
from sacrofem.specimen.cement import Distance, Site, cement_of, place
from sacrofem.specimen.mesh import case_mesh
from sacrofem.system.arrays import FloatArray
from sacrofem.system.memory import check_unknowns

RESOLVED = 20
"""Least number of tets, filled to half or more, in which a bolus has a shape."""

Progress = Callable[[str], None]


def _silent(stage: str) -> None:
    pass


@dataclass(frozen=True, eq=False)
class Model:
    """A case made concrete; nothing is solved yet.

    Attributes
    ----------
    case : Case
    mesh : TetMesh
        Cut and split along the fracture.
    landmarks : Landmarks
    space : Space
    bone : Elasticity
        Of every tet, without cement.
    density : (m,)
        Calibrated QCT density, g/cm³.
    pore_fraction : (m,)
        1 - BV/TV.
    region : CementRegion
        What the injections placed.
    coverage : (p, q)
        Share of the gap that cement fills at the gap points, a spot included.
    cement : CementMaterial
    membrane : Membrane
    supports : Supports
    load : Load
    resultant : Resultant
    force : (N, 3)
        Nodal forces.
    lesion : Lesion or None
    lesion_fraction : (m,)
        Share of each tet inside the lesion.
    warnings : tuple of str
    site : Site
        What every plan of cement is placed into.
    safety : Safety
        What needles and cement come near to.
    """

    case: Case
    mesh: TetMesh
    landmarks: Landmarks
    space: Space
    bone: Elasticity
    density: FloatArray
    pore_fraction: FloatArray
    region: CementRegion
    coverage: FloatArray
    cement: CementMaterial
    membrane: Membrane
    supports: Supports
    load: Load
    resultant: Resultant
    force: FloatArray
    lesion: Lesion | None
    lesion_fraction: FloatArray
    warnings: tuple[str, ...]
    site: Site = field(repr=False)
    safety: Safety

    @cached_property
    def treated(self) -> Elasticity:
        """Bone with cement in it."""
        return cemented_elasticity(self.bone, self.region.fraction, self.cement, law=self.case.cement.mixture)

    @property
    def fillers(self) -> tuple[Filler, Filler]:
        """What fills the gap before, and where cement covers it."""
        fracture = self.case.fracture
        cement = Filler(self.cement.modulus_mpa, self.cement.poisson)
        if fracture.filler == "cement":
            return Filler(fracture.filler_modulus_mpa or cement.modulus_mpa, cement.poisson), cement
        return Filler(fracture.modulus_mpa or 0.0, fracture.filler_poisson), cement

    def summary(self) -> dict[str, dict[str, Any]]:
        """What `sacrofem check` prints: mesh, bone, cement, load, supports and warnings."""
        mesh, gap = self.mesh, self.space.gap
        held = self.supports
        return {
            "mesh": {
                "points": len(mesh.points),
                "tets": len(mesh.tets),
                "dofs": 3 * self.space.n_nodes,
                "volume_ml": float(mesh.volumes.sum()) / 1e3,
                "min_quality": float(element_quality(mesh.points, mesh.tets).min()),
                "fracture_area_mm2": float(gap.areas.sum()),
            },
            "bone": {
                "median_modulus_mpa": float(np.median(self.bone.youngs)),
                "on_floor_share": float(self.mesh.volumes[self.bone.on_floor].sum() / self.mesh.volumes.sum()),
            },
            "cement": {
                **volumes_ml(self),
                "needles": len(self.region.injections),
                "leaked_ml": dict(self.safety.leaked_ml),
                "clearance_mm": dict(self.safety.clearance_mm),
            },
            "safety": self.safety.to_json(),
            "load": {
                "kind": self.load.kind,
                "force_n": [float(x) for x in self.resultant.force],
                "point_mm": [float(x) for x in self.resultant.point],
            },
            "supports": {
                "fixed_nodes": int(held.fixed.any(axis=1).sum()),
                "elastic_faces": len(held.foundation_faces),
                "ligaments": len(held.ligaments),
            },
            "warnings": {str(number): text for number, text in enumerate(self.warnings, 1)},
        }

    def gap(self, coverage: FloatArray, bone: Elasticity, *, cement_bonded: bool = True) -> GapStiffness | None:
        """The law of the gap where cement covers ``coverage`` (p, q) of it.

        None without a fracture. ``bone`` is what stands on either side. Without ``cement_bonded`` only what
        cement leaves of the filler counts.
        """
        if not coverage.size:
            return None
        if not cement_bonded:
            normal, tangential = self.fillers[0].stiffness(self.case.fracture.aperture_mm)
            return GapStiffness((1.0 - coverage) * normal, (1.0 - coverage) * tangential)
        constriction = constriction_compliance(self.space, bone, coverage)
        return gap_stiffness(
            coverage, self.case.fracture.aperture_mm, *self.fillers, constriction,
            interface=self.case.cement.interface_n_per_mm3,
        )  # fmt: skip

    @property
    def touches(self) -> bool:
        """Whether anything in the gap is in contact instead of bonded."""
        case = self.case
        return bool(self.coverage.size) and (case.fracture.closure == "contact" or case.cement.in_gap == "contact")

    def contact(self, coverage: FloatArray, bone: Elasticity) -> Contact | None:
        """What may touch in the gap: bone, where it closes, and cement that does not adhere; None if all is bonded."""
        case, layers = self.case, []
        aperture, friction = case.fracture.aperture_mm, case.fracture.friction_coefficient
        loose = case.cement.in_gap == "contact"
        if coverage.size and case.fracture.closure == "contact":
            gap = self.gap(coverage, bone, cement_bonded=not loose)
            assert gap is not None
            layers.append(face_closure(self.space, bone, coverage, aperture, gap, friction))
        if loose and coverage.any():
            layers.append(cement_contact(self.space, bone, coverage, aperture, self.fillers[1], friction))
        return joined(layers) if layers else None


def prepare(
    case: Case,
    progress: Progress | None = None,
    *,
    mesh: TetMesh | None = None,
    landmarks: Landmarks | None = None,
) -> Model:
    """Everything short of solving; refuses what cannot be solved.

    Parameters
    ----------
    case
    progress
        Called with the name of each stage as it begins.
    mesh : TetMesh, optional
        A mesh of one's own in place of the case's, fractured already, with its sets (``endplate``,
        ``auricular_left``, ``auricular_right``, ``outer``).
    landmarks : Landmarks, optional
        Of that mesh; density map, needles, ligaments and load follow them.

    Raises
    ------
    InputError
        Naming field, value and mend.
    """
    progress = progress or _silent
    if case.anatomy.kind in ("surface", "labels") and mesh is None:
        progress("landmarks")
    anatomy = case_anatomy(case)
    progress("mesh")
    landmarks_given = landmarks is not None
    landmarks = anatomy.landmarks if landmarks is None else landmarks
    inside: Distance | None = anatomy.inside if mesh is None else None
    notes = list(unused_keys(case))
    if mesh is None:
        case, moved = fitted(case, landmarks)
        mesh, more = _case_mesh(case, anatomy.solid, landmarks)
        notes += [*anatomy.notes, *moved, *more]
    else:
        check_mesh(mesh)
        if not landmarks_given:
            notes.append("landmarks are those of the built-in sacrum: density map, needles and load follow them")
    _check_sets(case, mesh)
    space = Space(mesh, case.mesh.order)
    if case.mesh.order == 2:
        check_unknowns(3 * space.n_nodes, case.solver.memory_gib)
    if case.mesh.order == 1:
        notes.append("P1 is a preview: too stiff, and micromotion can come out far too small; use --order 2")

    progress("bone")
    field_of_bone = bone_field(case, mesh, landmarks, anatomy.frame)
    density = field_of_bone.density
    notes += field_of_bone.notes
    lesion, lesion_fraction = None, np.zeros(len(mesh.tets))
    bone_fraction = bone_volume_fraction(density)
    if case.lesion.kind != "none":
        lesion = Lesion(case.lesion.kind, case.lesion.centre_mm, case.lesion.radii_mm, case.lesion.density_factor)
        lesion_fraction = lesion_share(mesh, lesion)
        density = lesion_density(mesh, density, lesion)
        # A blastic lesion has lost nothing: its pores follow from its density.
        lytic = lesion.density_factor < 1.0
        bone_fraction = (
            lesion_bone_volume_fraction(mesh, bone_fraction, lesion) if lytic else bone_volume_fraction(density)
        )
    bone = bone_elasticity(
        density, law=case.materials.density_law, floor_mpa=case.materials.floor_mpa, poisson=case.materials.poisson
    )
    bone = own_moduli(case, bone)
    shell = cortex(
        case.materials.bone,
        thickness_mm=case.materials.cortex_thickness_mm,
        modulus_mpa=case.materials.cortex_modulus_mpa,
    )

    progress("cement")
    pores = 1.0 - bone_fraction
    site = Site(mesh, space, landmarks, inside, pores, lesion_fraction)
    region, coverage, safety = place(case, site)
    notes += safety.sentences()
    if 0 < (filled := int(np.count_nonzero(region.fraction >= 0.5))) < RESOLVED or (region.injections and not filled):
        notes.append(
            f"cement fills half or more of {filled} tets only: its volume is exact, its shape is not resolved; "
            "use a finer mesh"
        )

    progress("loads and supports")
    kind = load(
        case.load.kind,
        force_n=case.load.force_n,
        angle_deg=case.load.slope_deg if case.load.kind == "free" else None,
        point_mm=case.load.point,
        moment_nmm=case.load.moment if any(case.load.moment) else None,
    )
    if case.load.kind != "free" and kind.angle_deg is not None and case.load.slope_deg != DEFAULT_SLOPE_DEG:
        notes.append(
            f"load.slope_deg = {case.load.slope_deg:g} does not count: {kind.kind} acts at {kind.angle_deg:g}° "
            "to the endplate normal"
        )
    if case.anatomy.half != "none" and not kind.one_legged and case.load.force_n is None:
        notes.append(
            f"half a sacrum bears the whole load ({kind.force_n:g} N): in a symmetric stance it bears half of that"
        )
    faces = endplate_faces(space)
    centre = face_centroid(space, faces) if case.anatomy.half != "none" else None
    resultant = load_resultant(landmarks, kind, slope_deg=case.load.slope_deg, centre=centre)
    free = _swing_side(case, kind)
    supports = (
        fixed_supports(space, free_side=free)
        if case.supports.kind == "fixed"
        else elastic_supports(space, landmarks, with_ligaments=case.supports.ligaments, free_side=free)
    )
    membrane = cortical_membrane(mesh, shell)
    if not field_of_bone.membrane:
        membrane = Membrane(np.zeros(len(mesh.faces)), np.zeros(len(mesh.faces)), shell.poisson)
    cement = cement_of(case)
    model = Model(
        case, mesh, landmarks, space, bone, density, pores, region, coverage, cement, membrane,
        supports, kind, resultant, load_vector(space, faces, resultant), lesion, lesion_fraction, tuple(notes), site,
        safety,
    )  # fmt: skip
    _check_held(model)
    return model


def with_cement(model: Model, case: Case) -> Model:
    """The same model with the cement plan of another case, which differs in ``cement`` only.

    Raises
    ------
    InputError
        The cases differ in something else, or the plan cannot be placed.
    """
    if other := next((name for name in vars(case) if _fixed(case, name) != _fixed(model.case, name)), None):
        raise InputError(
            "differs between the plans", field=other, mend="plans of one model may differ in `cement` only"
        )
    region, coverage, safety = place(case, model.site)
    kept = tuple(text for text in model.warnings if text not in model.safety.sentences())
    return replace(
        model, case=case, region=region, coverage=coverage, cement=cement_of(case), safety=safety,
        warnings=(*kept, *safety.sentences()),
    )  # fmt: skip


def _fixed(case: Case, name: str) -> Any:
    return None if name in ("cement", "name", "preset", "solver") else getattr(case, name)


def _check_held(model: Model) -> None:
    """Refuse a piece that moves freely even where the gap, in contact, is closed and sticks."""
    none = np.zeros_like(model.coverage)
    gap, contact = model.gap(none, model.bone), model.contact(none, model.bone)
    if gap is not None and contact is not None:
        sticking = contact.tangential * (contact.friction > 0.0)
        gap = GapStiffness(gap.normal + contact.normal, gap.tangential + sticking)
    check_held(model.space, model.supports, gap)


def _case_mesh(case: Case, solid: Solid, landmarks: Landmarks) -> tuple[TetMesh, list[str]]:
    """The mesh of a case, and what a reader of its results has to know; warnings of the mesher are kept too."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mesh, notes = case_mesh(case, solid, landmarks)
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    kept = (str(warning.message) for warning in caught if issubclass(warning.category, SacrofemWarning))
    return mesh, [*notes, *kept]


def _check_sets(case: Case, mesh: TetMesh) -> None:
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


def _swing_side(case: Case, kind: Load) -> Side | None:
    """In one-legged stance on a whole sacrum the load leaves through the broken (else the left) side."""
    if not kind.one_legged or case.anatomy.half != "none":
        return None
    return "left" if case.fracture.zone in ("zone1", "zone2") and case.fracture.side == "right" else "right"


def volumes_ml(model: Model) -> Mapping[str, float]:
    """Cement volumes of a model in ml under the keys of ``comparison.json``."""
    region, gap = model.region, model.space.gap
    in_gap = region.in_gap_ml
    spot = 0.0
    if model.case.cement.spot is not None:
        covered = float((gap.areas * model.coverage).sum() * model.case.fracture.aperture_mm / 1e3)
        spot = covered - in_gap
    placed = region.in_bone_ml + in_gap + region.in_lesion_ml + spot
    return {
        "requested_ml": region.requested_ml + spot,
        "placed_ml": placed,
        "in_bone_ml": region.in_bone_ml,
        "in_gap_ml": in_gap + spot,
        "in_lesion_ml": region.in_lesion_ml,
        "withheld_ml": region.withheld_ml,
    }
