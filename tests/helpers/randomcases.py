"""Case files drawn at random over all keys, within the bounds that each key states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sacrofem.case.case import Case
from sacrofem.case.presets import PRESETS

# Of an own sacrum, or of a mesh of its own: without the others that they need they are refused.
SELDOM = [
    "anatomy.path",
    "anatomy.kind",
    "anatomy.ct",
    "anatomy.ct_transform",
    "anatomy.labels",
    "anatomy.units",
    "anatomy.landmarks",
    "anatomy.landmarks_file",
    "anatomy.frame",
    "anatomy.sets",
    "anatomy.parameters",
    "mesh.size_mm",
    "mesh.fracture_size_mm",
    "mesh.replicate",
    "mesh.path",
    "fracture.surfaces",
    "fracture.planes",
    "materials.law",
    "materials.moduli",
    "cement.injections",
]


def random_case(seed: int) -> dict[str, Any]:
    """Content of a case file: every section with probability 0.6, every key with 0.2, or 0.01 where it needs others."""
    rng = np.random.default_rng(seed)
    schema = Case.model_json_schema(by_alias=True)
    drawn: dict[str, Any] = {"preset": str(rng.choice(sorted(PRESETS)))}
    for name, about in schema["properties"].items():
        section = _resolved(about, schema)
        if section.get("type") != "object" or rng.random() > 0.6:
            continue
        values = {
            key: _drawn(value, schema, rng)
            for key, value in section.get("properties", {}).items()
            if rng.random() < (0.01 if f"{name}.{key}" in SELDOM else 0.2)
        }
        drawn[name] = {key: value for key, value in values.items() if value is not None}
    drawn.setdefault("mesh", {})["reference"] = "tiny"
    drawn["mesh"]["order"] = int(rng.integers(1, 3))
    return drawn


def _resolved(about: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in about:
        about = schema["$defs"][about["$ref"].rsplit("/", 1)[1]]
    return about


def _drawn(about: Mapping[str, Any], schema: Mapping[str, Any], rng: np.random.Generator) -> Any:
    about = _resolved(about, schema)
    if "anyOf" in about:
        given = [one for one in about["anyOf"] if one.get("type") != "null"]
        return _drawn(given[int(rng.integers(len(given)))], schema, rng)
    if "const" in about:
        return about["const"]
    if "enum" in about:
        return about["enum"][int(rng.integers(len(about["enum"])))]
    match about.get("type"):
        case "boolean":
            return bool(rng.integers(2))
        case "number" | "integer":
            return _number(about, rng)
        case "string":
            return "".join(rng.choice(list("ab_-.S1 "), rng.integers(1, 8)))
        case "array":
            rows = about.get("prefixItems") or [about["items"]] * int(rng.integers(1, 4))
            return [_drawn(row, schema, rng) for row in rows]
        case "object":
            names = about.get("propertyNames", {}).get("enum")
            if names and isinstance(about.get("additionalProperties"), Mapping):
                return {str(rng.choice(names)): _drawn(about["additionalProperties"], schema, rng)}
            keys = {
                key: _drawn(value, schema, rng)
                for key, value in about.get("properties", {}).items()
                if key in about.get("required", ()) or rng.random() < 0.3
            }
            return {key: value for key, value in keys.items() if value is not None}
    return None


def _number(about: Mapping[str, Any], rng: np.random.Generator) -> float | int:
    low = float(about.get("minimum", about.get("exclusiveMinimum", -1e3)))
    high = float(about.get("maximum", about.get("exclusiveMaximum", 1e3)))
    # Now and then the bound itself; several decades evenly.
    if (chance := rng.random()) < 0.1:
        value = low if chance < 0.05 else high
    elif low > 0 and high / low > 100:
        value = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    else:
        value = float(rng.uniform(low, high))
    return round(value) if about["type"] == "integer" else float(f"{value:.4g}")
