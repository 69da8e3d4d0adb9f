"""Everything short of solving, in numbers: what `sacrofem check` prints."""

from __future__ import annotations

from typing import Any

import numpy as np

from sacrofem.mechanics.parts.joint import ElasticLayer
from sacrofem.mechanics.parts.ligaments import Ligaments
from sacrofem.mechanics.parts.materials import floor_share
from sacrofem.mechanics.parts.part import total_fixed
from sacrofem.specimen.plan import Plan
from sacrofem.specimen.setup import Setup


def summary(specimen: Setup, plan: Plan) -> dict[str, dict[str, Any]]:
    """Mesh, bone, cement, safety, load, supports and warnings of a specimen with a plan, as plain data."""
    bone, held = specimen.bone.elasticity, specimen.supports
    info = specimen.mesh_info
    warnings = (*plan.first_notes, *specimen.notes, *plan.notes)
    return {
        "mesh": {
            "points": info["nodes"],
            "tets": info["tets"],
            "dofs": info["dofs"],
            "volume_ml": info["volume_ml"],
            "min_quality": info["min_quality"],
            "fracture_area_mm2": float(specimen.space.gap.areas.sum()),
        },
        "bone": {
            "median_modulus_mpa": float(np.median(bone.youngs)),
            "on_floor_share": floor_share(specimen.mesh, bone),
            **specimen.bone.provenance.texts(),
        },
        "cement": {**plan.volumes_ml, "needles": len(plan.needles), **_near(plan)},
        "safety": plan.safety.to_json(),
        "load": specimen.loading.to_json(),
        "loads": {name: loading.to_json() for name, loading in specimen.further.items()},
        "supports": {
            "fixed_nodes": int(total_fixed(held, specimen.space).any(axis=1).sum()),
            "elastic_faces": sum(len(part.faces) for part in held if isinstance(part, ElasticLayer)),
            "ligaments": sum(len(part.names) for part in held if isinstance(part, Ligaments)),
        },
        "warnings": {str(number): text for number, text in enumerate(warnings, 1)},
    }


def _near(plan: Plan) -> dict[str, Any]:
    content = plan.to_json()
    return {key: content[key] for key in ("leaked_ml", "clearance_mm", "reached", "covered_share")}
