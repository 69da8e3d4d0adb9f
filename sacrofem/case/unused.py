"""Keys of a case that were set and count for nothing, because another key rules them out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sacrofem.case.case import Case

_OF_CT = (
    "materials.calibration",
    "materials.calibration_hu",
    "materials.calibration_density_g_cm3",
    "materials.rim",
)
_Rule = tuple[bool, str, tuple[str, ...]]


def unused_keys(case: Case) -> tuple[str, ...]:
    """One sentence for each key that somebody set and that has no effect.

    A key at its default is never named, for complete case files hold every key, nor is one at the value of the preset
    that the case comes from.
    """
    return (*unused_specimen_keys(case), *unused_plan_keys(case))


def unused_specimen_keys(case: Case) -> tuple[str, ...]:
    """Those of bone, fracture, supports and load."""
    return _sentences(_of_specimen(case), case)


def unused_plan_keys(case: Case) -> tuple[str, ...]:
    """Those of cement, and those of the fracture that only needles follow."""
    return _sentences(_of_plan(case), case)


def idle_keys(case: Case) -> dict[str, str]:
    """Why a key has no effect whatever its value, for each such key."""
    rules = (*_of_specimen(case), *_of_plan(case))
    return {name: reason for applies, reason, names in reversed(rules) if applies for name in names}


def _of_specimen(case: Case) -> tuple[_Rule, ...]:
    return (*_of_anatomy(case), *_of_fracture(case), *_of_supports(case))


def _of_plan(case: Case) -> tuple[_Rule, ...]:
    return (*_of_needles(case), *_of_cement(case))


def _sentences(rules: Iterable[_Rule], case: Case) -> tuple[str, ...]:
    notes = []
    preset: Case | None = None
    for reason, names in ((reason, names) for applies, reason, names in rules if applies):
        for name in names:
            section, key = name.split(".")
            model = getattr(case, section)
            value = getattr(model, key)
            if value == type(model).model_fields[key].get_default(call_default_factory=True):
                continue
            preset = preset or type(case).preset(case.differences.preset)
            if value != getattr(getattr(preset, section), key):
                notes.append(f"{name} = {_shown(value)} does not count: {reason}")
    return tuple(notes)


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(list(value) if isinstance(value, tuple) else value)


def _of_anatomy(case: Case) -> tuple[_Rule, ...]:
    own = case.anatomy.kind == "mesh"
    materials, ct = case.materials, case.anatomy.ct is not None
    no_shell = ct and materials.rim == "ct"
    own_shell = materials.cortex_thickness_mm is not None and materials.cortex_modulus_mpa is not None
    without_units = case.anatomy.kind in ("parametric", "labels")
    return (
        (without_units, "only an own mesh or surface has units", ("anatomy.units",)),
        (case.anatomy.kind in ("surface", "labels"), "a scan is meshed to a size", ("mesh.reference",)),
        (own, "an own mesh stands in its place", ("mesh.reference", "mesh.size_mm", "mesh.replicate")),
        (case.mesh.size_mm is not None, "mesh.size_mm is given", ("mesh.reference",)),
        (not ct, "there is no CT", _OF_CT),
        (ct, "density is that of the CT", ("materials.alar_void",)),
        # A membrane beside the CT is that of the named bone.
        (ct and (no_shell or own_shell), "density is that of the CT, and no cortex follows it", ("materials.bone",)),
        (
            no_shell,
            "materials.rim is ct: its voxels stand for the cortex",
            ("materials.cortex_thickness_mm", "materials.cortex_modulus_mpa"),
        ),
        (
            ct and materials.calibration == "generic",
            "materials.calibration is generic",
            ("materials.calibration_hu", "materials.calibration_density_g_cm3"),
        ),
        (
            case.lesion.kind == "none",
            "there is no lesion",
            ("lesion.centre_mm", "lesion.radii_mm", "lesion.density_factor"),
        ),
        (
            materials.cortex_thickness_mm == 0 and not no_shell,
            "materials.cortex_thickness_mm is 0",
            ("materials.cortex_modulus_mpa",),
        ),
    )


def _of_fracture(case: Case) -> tuple[_Rule, ...]:
    fracture = case.fracture
    sound = fracture.zone == "none" and not fracture.surfaces
    gap = ("aperture_mm", "filler", "filler_modulus_mpa", "filler_poisson")
    return (
        (
            sound,
            "there is no fracture",
            tuple(f"fracture.{key}" for key in gap),
        ),
        (
            fracture.zone == "none",
            "fracture.zone is none",
            ("fracture.side", "fracture.extent", "fracture.extent_from"),
        ),
        (fracture.zone in ("zone3", "transverse"), f"{fracture.zone} has no side", ("fracture.side",)),
        (
            not fracture.beside_joint,
            f"it places a fracture of zone 1 (zone = {fracture.zone})",
            ("fracture.joint_distance_mm", "fracture.tilt_deg", "fracture.allow_near_joint"),
        ),
        (fracture.zone != "none" and fracture.extent == 1, "fracture.extent is 1", ("fracture.extent_from",)),
        (
            not sound and fracture.filler in ("open", "cement"),
            "the gap is open" if fracture.filler == "open" else "the filler is cement, with cement's own",
            ("fracture.filler_poisson",),
        ),
    )


def _of_supports(case: Case) -> tuple[_Rule, ...]:
    fixed, springs = case.supports.kind == "fixed", ("supports.ligament_stiffness",)
    return (
        (fixed, "the auricular faces are fixed", ("supports.joint", *springs)),
        (not fixed and not case.supports.ligaments, "supports.ligaments is false", springs),
    )


def _of_needles(case: Case) -> tuple[_Rule, ...]:
    fracture = case.fracture
    return ((fracture.zone == "none" and not fracture.surfaces, "there is no fracture", ("cement.in_gap",)),)


def _of_cement(case: Case) -> tuple[_Rule, ...]:
    cement = case.cement
    planned = ("cement.approach", "cement.side", "cement.needles", "cement.gauge")
    shape = ("cement.spread", "cement.column_length_mm", "cement.ellipsoid_aspect")
    bolus = cement.volume_ml > 0
    return (
        (bolus and cement.spread != "ellipsoid", f"cement.spread is {cement.spread}", ("cement.ellipsoid_aspect",)),
        (bolus and cement.spread != "flow", f"cement.spread is {cement.spread}", ("cement.flow",)),
        (bolus and cement.spread == "ellipsoid", "cement.spread is ellipsoid", ("cement.column_length_mm",)),
        (cement.in_gap != "bonded", f"cement.in_gap is {cement.in_gap}", ("cement.interface_n_per_mm3",)),
        (bool(cement.injections), "[[cement.injections]] stand in its place", planned),
        (not bolus, "there is no bolus", (*planned, *shape, "cement.mixture", "cement.stop_at_encroachment")),
    )
