"""[anatomy]: which bone a case is about."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from sacrofem.case.fields import OneOf, within
from sacrofem.case.frozen import FrozenMapping, as_frozen
from sacrofem.case.problems import refused, unknown
from sacrofem.case.section import FilePath, Point, Section

# Half a millimetre is a voxel; the longest sacra measure 130 mm along their arc.
_LEAST_MM, _MOST_MM, _MOST_DEG = 0.1, 200.0, 90.0
_MOST_LABEL = 65535

DIMENSIONS = (
    "straight_length_mm",
    "body_heights_mm",
    "alar_breadth_mm",
    "endplate_transverse_mm",
    "endplate_ap_mm",
    "slope_deg",
    "promontory_tilt_deg",
    "body_depths_mm",
    "body_half_widths_mm",
    "canal_widths_mm",
    "canal_depths_mm",
    "anterior_heights_mm",
    "anterior_widths_mm",
    "posterior_heights_mm",
    "posterior_widths_mm",
    "anterior_offsets_mm",
    "posterior_offsets_mm",
    "lateral_half_widths_mm",
    "ala_slope_deg",
    "ala_step_mm",
    "ala_depth_mm",
    "auricular_height_mm",
    "auricular_width_mm",
    "auricular_convergence_deg",
    "lamina_thickness_mm",
    "crest_height_mm",
    "facet_offset_mm",
    "hiatus_mm",
)
"""Dimensions of the built-in sacrum; `sacrofem.anatomy.builtin.parameters.SacrumParameters` says what they are."""

LANDMARKS = (
    "endplate_centre", "endplate_normal", "promontory", "apex", "level_S1", "level_S2", "level_S3", "level_S4",
    "level_S5", "auricular_left", "auricular_left_normal", "auricular_right", "auricular_right_normal",
    "foramen_S1_left_anterior", "foramen_S1_left_posterior", "foramen_S1_right_anterior",
    "foramen_S1_right_posterior", "foramen_S2_left_anterior", "foramen_S2_left_posterior",
    "foramen_S2_right_anterior", "foramen_S2_right_posterior", "foramen_S3_left_anterior",
    "foramen_S3_left_posterior", "foramen_S3_right_anterior", "foramen_S3_right_posterior",
    "foramen_S4_left_anterior", "foramen_S4_left_posterior", "foramen_S4_right_anterior",
    "foramen_S4_right_posterior",
)  # fmt: skip
"""Landmarks that can be given one by one."""

SETS = ("endplate", "auricular_left", "auricular_right", "outer")

_Dimension = Annotated[str, OneOf(DIMENSIONS)]
_Landmark = Annotated[str, OneOf(LANDMARKS)]
_Set = Annotated[str, OneOf(SETS)]
_Size = Annotated[float, within(_LEAST_MM, _MOST_MM, "no part of a sacrum is longer [K]; angles to 90 degrees")]
_Entry = Annotated[float, within(-10000, 10000, "coordinates of scanners stay within 10 m")]


class Anatomy(Section):
    """[anatomy]: which bone."""

    kind: Literal["parametric", "surface", "labels", "mesh"] = Field(
        default="parametric",
        description="built-in sacrum, or your own: surface of a scan, label map, or tet mesh with named sets",
    )
    sex: Literal["female", "male"] = Field(
        default="female", description="of the built-in sacrum; of a scan: of the twin that it is laid beside"
    )
    path: FilePath | None = Field(default=None, description="file of an own sacrum, relative to the case file")
    ct: FilePath | None = Field(default=None, description="CT of an own sacrum: a file or a folder of DICOM")
    ct_transform: tuple[_Entry, ...] = Field(
        default=(),
        description="4 x 4, row by row, from the CT's LPS mm to those of `path`; not given: they share a frame",
    )
    ct_series: (
        Annotated[int, within(0, 999_999_999, "what DICOM numbers a series by")]
        | Annotated[str, Field(max_length=100)]
        | None
    ) = Field(
        default=None, description="number (no unit) or UID of the series, where the folder of the CT holds several"
    )
    ct_offset_hu: Annotated[float, within(-33000, 33000, "what 16 bits of storage hold")] | None = Field(
        default=None,
        description="HU, added to the CT's numbers on purpose: -1024 where its intercept was lost; 0 says that they "
        "are HU however dense; not given: numbers that are no HU are refused",
    )
    labels: tuple[
        Annotated[int, within(1, _MOST_LABEL, "label maps have 16 bits, and 0 is no label")]
        | Annotated[str, Field(max_length=100)],
        ...,
    ] = Field(
        default=(),
        max_length=100,
        description="numbers (no unit) or names of the sacrum's labels; not given: by the names in the file, "
        "TotalSegmentator's numbers, or the only one",
    )
    units: Literal["mm", "cm", "m", "in", "um"] = Field(
        default="mm", description="length unit of the file at `path`: also inches (in) and micrometres (um)"
    )
    half: Literal["none", "left", "right"] = Field(
        default="none", description="a hemisacrum: this half only, the cut face at x = 0 free (Whitlow 2007 [T])"
    )
    parameters: Annotated[Mapping[_Dimension, _Size | tuple[_Size, ...]], as_frozen] = Field(
        default_factory=FrozenMapping,
        description="dimensions that differ from the preset's, mm or degrees as the name says; a list from S1 down "
        "where there is one for each level",
    )
    landmarks: Annotated[Mapping[_Landmark, Point], as_frozen] = Field(
        default_factory=FrozenMapping,
        description="landmarks that take the place of those found, mm, in the anatomical frame; normals of any length",
    )
    landmarks_file: FilePath | None = Field(
        default=None, description="all landmarks of an own sacrum, as `sacrofem import` writes them"
    )
    frame: tuple[_Entry, ...] = Field(
        default=(), description="4 x 4, row by row, from the file's mm to the anatomical frame; not given: found"
    )
    sets: Annotated[Mapping[_Set, Annotated[str, Field(max_length=200)]], as_frozen] = Field(
        default_factory=FrozenMapping,
        description='what an own mesh calls its faces; "by-geometry": found from the landmarks',
    )

    @field_validator("parameters", mode="before")
    @classmethod
    def _dimensions(cls, data: Any) -> Any:
        return {name: _dimension(name, value) for name, value in data.items()} if isinstance(data, Mapping) else data

    @field_validator("labels", mode="before")
    @classmethod
    def _label_by_label(cls, data: Any) -> Any:
        for label in data if isinstance(data, list | tuple) else ():
            number = isinstance(label, int) and not isinstance(label, bool) and 1 <= label <= _MOST_LABEL
            if not number and not (isinstance(label, str) and 0 < len(label) <= 100):
                problem, mend = "is no label", f"give a number from 1 to {_MOST_LABEL}, or a name"
                raise refused(problem, mend, "", label)
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Anatomy:
        if self.kind != "parametric" and self.path is None:
            raise refused(f'kind = "{self.kind}" needs a file', 'add path = "FILE" to [anatomy]', "path")
        if self.kind == "parametric" and (self.path or self.landmarks):
            at = "path" if self.path else "landmarks"
            value = self.path or sorted(self.landmarks)
            raise refused("the built-in sacrum takes none", 'set kind = "mesh" or leave it out', at, value)
        if self.kind != "parametric" and self.parameters:
            raise refused("an own sacrum has no parameters", "leave them out", "parameters", sorted(self.parameters))
        own: dict[str, Any] = {
            "ct": self.ct,
            "frame": self.frame,
            "sets": self.sets,
            "landmarks_file": self.landmarks_file,
        }
        takes = {
            "parametric": (), "surface": ("ct", "frame", "landmarks_file"),
            "labels": ("ct", "frame", "landmarks_file"), "mesh": ("ct", "sets", "landmarks_file"),
        }[self.kind]  # fmt: skip
        for name, value in own.items():
            if value and name not in takes:
                raise refused(f'kind = "{self.kind}" does not take it', "leave it out", name, str(value))
        if self.labels and self.kind != "labels":
            raise refused("only a label map takes it", "leave it out", "labels", str(list(self.labels)))
        if self.half != "none" and self.kind in ("surface", "labels"):
            raise refused("a scan is used whole", "leave it out, or import it and cut the mesh", "half", self.half)
        if self.landmarks_file and self.kind != "mesh" and not self.frame:
            raise refused("needs the frame in which they are", "give anatomy.frame too", "landmarks_file")
        if self.frame and not _is_motion(self.frame):
            raise refused(
                "is no rigid motion", "give 16 numbers, row by row: rotation and shift", "frame", str(self.frame)
            )
        if self.ct is not None and self.ct == self.path:
            raise refused("is the bone itself", "give its CT, or leave it out", "ct", self.ct)
        for name in ("ct_series", "ct_offset_hu"):
            if self.ct is None and (value := getattr(self, name)) is not None:
                raise refused("needs anatomy.ct", "give anatomy.ct, or leave it out", name, value)
        if self.ct_transform and (self.ct is None or len(self.ct_transform) != 16):
            problem = "needs anatomy.ct" if self.ct is None else "is no 4 x 4 matrix"
            raise refused(problem, "give 16 numbers, row by row, with a CT", "ct_transform", str(self.ct_transform))
        return self


def _is_motion(numbers: tuple[float, ...]) -> bool:
    """Whether 16 numbers, row by row, are a turn without reflection and a shift."""
    if len(numbers) != 16 or tuple(numbers[12:]) != (0.0, 0.0, 0.0, 1.0):
        return False
    rows = [numbers[4 * k : 4 * k + 3] for k in range(3)]
    products = [sum(a * b for a, b in zip(p, q, strict=True)) for p in rows for q in rows]
    (a, b, c), (d, e, f), (g, h, i) = rows
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    unit = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    return determinant > 0 and all(abs(x - y) < 1e-4 for x, y in zip(products, unit, strict=True))


def _dimension(name: object, value: object) -> object:
    """A dimension of the built-in sacrum as it must be: a number, or a tuple of as many as there are levels."""
    if not isinstance(name, str) or name not in DIMENSIONS:
        raise refused("no such dimension", unknown(str(name), DIMENSIONS), str(name), value)
    # Late: a case without own dimensions is read without numpy.
    from sacrofem.anatomy.builtin.parameters import SacrumParameters

    known = SacrumParameters.__dataclass_fields__
    default = known[name].default
    count = len(default) if isinstance(default, tuple) else 0
    most, unit = (_MOST_DEG, "degrees") if name.endswith("_deg") else (_MOST_MM, "mm")
    numbers: list[Any] = list(value) if isinstance(value, list | tuple) and count else [value]
    sound = len(numbers) == max(count, 1) and all(
        isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x) for x in numbers
    )
    if not sound:
        wanted = f"{count} finite numbers in a list, from S1 down" if count else "a finite number"
        raise refused(f"must be {wanted}", f"write {wanted}", name, list(value) if isinstance(value, tuple) else value)
    if not all(_LEAST_MM <= x <= most for x in numbers):
        span = f"from {_LEAST_MM:g} to {most:g} {unit}"
        raise refused(f"must be {span}", f"give {span}: no sacrum is larger", name, value)
    return tuple(float(x) for x in numbers) if count else value
