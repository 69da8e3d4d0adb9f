"""Landmarks as plain data: written by an import, read back, and overridden one by one."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sacrofem.anatomy.solid import LEVELS, SIDES, AuricularFace, Corridor, Landmarks
from sacrofem.errors import InputError
from sacrofem.system.arrays import FloatArray

_SIMPLE = ("endplate_centre", "endplate_normal", "promontory", "apex")


def override_names() -> tuple[str, ...]:
    """Names that ``[anatomy.landmarks]`` takes."""
    faces = [f"auricular_{side}{part}" for side in SIDES for part in ("", "_normal")]
    mouths = [
        f"foramen_{level}_{side}_{end}" for level in LEVELS for side in SIDES for end in ("anterior", "posterior")
    ]
    return (*_SIMPLE, *(f"level_S{k}" for k in range(1, 6)), *faces, *mouths)


def overridden(landmarks: Landmarks, given: Mapping[str, Sequence[float]]) -> Landmarks:
    """Landmarks with some of them replaced.

    Parameters
    ----------
    landmarks
    given
        Points in mm and directions of any length, in the anatomical frame, by the names of `override_names`. A foramen
        is moved and stretched with its mouths.

    Raises
    ------
    InputError
        A name that is none, or a direction without length.
    """
    changed: dict[str, Any] = {}
    levels = landmarks.levels.copy()
    faces, foramina = dict(landmarks.auricular), dict(landmarks.foramina)
    names = override_names()
    for name, value in given.items():
        point = np.asarray(value, dtype=float)
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            mend = f"did you mean {close[0]}?" if close else f"give any of {', '.join(names[:9])}, ..."
            raise InputError("no such landmark", field=f"anatomy.landmarks.{name}", mend=mend)
        if name.endswith("normal"):
            point = _unit(name, point)
        if name in _SIMPLE:
            changed[name] = point
        elif name.startswith("level_S"):
            levels[int(name[-1]) - 1] = point
        elif name.startswith("auricular_"):
            side = SIDES[0] if "left" in name else SIDES[1]
            face = faces[side]
            faces[side] = replace(face, normal=point) if name.endswith("_normal") else replace(face, centre=point)
        else:
            key = "_".join(name.split("_")[1:3])
            if key not in foramina:
                raise InputError(
                    "the landmarks have no such foramen", field=f"anatomy.landmarks.{name}", mend="leave it out"
                )
            foramina[key] = _stretched(foramina[key], point, 0 if name.endswith("anterior") else -1)
    return replace(landmarks, **changed, levels=levels, auricular=faces, foramina=foramina)


def _unit(name: str, vector: FloatArray) -> FloatArray:
    length = float(np.linalg.norm(vector))
    if not length > 0.0:
        raise InputError(
            "has no direction", field=f"anatomy.landmarks.{name}", value=[float(x) for x in vector],
            mend="give a vector out of the bone there",
        )  # fmt: skip
    return vector / length


def _stretched(corridor: Corridor, mouth: FloatArray, end: int) -> Corridor:
    share = np.linspace(1.0, 0.0, len(corridor.points)) if end == 0 else np.linspace(0.0, 1.0, len(corridor.points))
    return Corridor(corridor.points + share[:, None] * (mouth - corridor.points[end]), corridor.radii)


# ------------------------------------------------------------------ files
def landmarks_to_dict(landmarks: Landmarks) -> dict[str, Any]:
    """Plain data in mm, anatomical frame."""

    def row(point: FloatArray) -> list[float]:
        return [round(float(x), 6) for x in point]

    def corridor(one: Corridor) -> dict[str, Any]:
        return {"points_mm": [row(p) for p in one.points], "radii_mm": row(one.radii)}

    return {
        **{name: row(getattr(landmarks, name)) for name in _SIMPLE},
        "levels": [row(point) for point in landmarks.levels],
        "auricular": {
            side: {
                "centre": row(face.centre), "normal": row(face.normal), "height_mm": round(face.height_mm, 6),
                "width_mm": round(face.width_mm, 6),
            }
            for side, face in landmarks.auricular.items()
        },
        "canal": corridor(landmarks.canal),
        "foramina": {name: corridor(one) for name, one in landmarks.foramina.items()},
        "estimated": sorted(landmarks.estimated),
    }  # fmt: skip


def read_landmarks(path: str | Path) -> Landmarks:
    """Landmarks from a file that `sacrofem import` wrote.

    Raises
    ------
    InputError
        Missing, or not of that form.
    """
    path = Path(path)
    mend = "give landmarks.json of an imported folder"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content = content.get("landmarks", content)
        found = Landmarks(
            **{name: _row(content[name]) for name in _SIMPLE},
            levels=np.array([_row(point) for point in content["levels"]]),
            auricular={
                side: AuricularFace(
                    _row(face["centre"]), _row(face["normal"]), float(face["height_mm"]), float(face["width_mm"])
                )
                for side, face in ((side, content["auricular"][side]) for side in SIDES)
            },
            canal=_corridor(content["canal"]),
            foramina={name: _corridor(one) for name, one in content["foramina"].items()},
            estimated=frozenset(map(str, content.get("estimated", ()))),
        )
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})", file=path, field="anatomy.landmarks_file", mend=mend
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"is no file of landmarks ({error})"[:160], file=path, field="anatomy.landmarks_file", mend=mend
        ) from error
    if len(found.levels) != 5:
        raise InputError(
            f"has {len(found.levels)} levels", file=path, field="anatomy.landmarks_file", mend="give S1 to S5"
        )
    return found


def _row(values: Any) -> FloatArray:
    row = np.asarray(values, dtype=float)
    if row.shape != (3,) or not np.isfinite(row).all():
        raise ValueError(f"{values} is no point")
    return row


def _corridor(content: Any) -> Corridor:
    radii = np.asarray(content["radii_mm"], dtype=float)
    points = np.array([_row(p) for p in content["points_mm"]])
    if len(radii) != len(points) or len(radii) < 2 or not (radii > 0).all():
        raise ValueError("a corridor needs two or more points with radii")
    return Corridor(points, radii)
