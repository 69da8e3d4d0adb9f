"""Dimensions of the built-in sacrum, with their published ranges.

``[A]``, ``[T]``, ``[K]`` and ``[D]`` are the marks of docs/theory/sources.md; ``shape`` means chosen by eye.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np

from sacrofem.errors import InputError

Sex = Literal["female", "male"]
Quad = tuple[float, float, float, float]
Quint = tuple[float, float, float, float, float]


@dataclass(frozen=True)
class SacrumParameters:
    """Dimensions of the built-in sacrum in mm and degrees; the defaults are the female preset.

    Parameters
    ----------
    straight_length_mm
        Promontory to apex. Women 93.64 ± 6.93, men 107.55 ± 8.89 (Bangladesh J Anat 15(2)) [A].
    body_heights_mm
        Ventral heights of S1..S5; their sum is the ventral arc, women 103.87 ± 9.60, men 113.40 ± 7.91
        (Bangladesh J Anat 15(2)) [A].
        S1 28.90 and 28.16 (MRI, 25 + 25) [A]; the others share the rest (shape).
    alar_breadth_mm
        Largest width. Women 106.15 ± 5.07, men 101.52 ± 6.81 (Bangladesh J Anat 15(2)) [A].
    endplate_transverse_mm
        Width of the S1 endplate: about 46 and 50 [K]; body width in women 40.3 ± 7.0 (PMC5799488) [T].
    endplate_ap_mm
        Mid-sagittal diameter of the S1 endplate: 30.22 ± 1.57 and 31.92 ± 2.28 (MRI, 25 + 25) [A].
    slope_deg
        Endplate against the horizontal: 24 to 55 (Mac-Thiong 2011) [A]; fixes the frame.
    promontory_tilt_deg
        Endplate against the normal of the ventral face at the promontory. Follows from the S1 heights and depths (28.90
        in front, 20.87 behind, depth 30.22 to 17.7) [D].
    body_depths_mm
        Mid-sagittal depth of S1..S5 at their lower ends: S1 17.7 ± 3.27 and 20.10 ± 3.34
        (MRI, 25 + 25) [A]; others taper (shape).
    body_half_widths_mm
        Half the width of S1..S5 at their lower ends (shape; leaves the anterior foramina at their place).
    canal_widths_mm, canal_depths_mm
        Canal at the lower ends of S1..S4: about 30 x 20 at S1, 15 x 8 at S4 [K].
    anterior_heights_mm, anterior_widths_mm
        Anterior foramina S1..S4: S1 12.97 x 12.23, S2 12.85 x 13.13 (JCDR 2018) [A]; S3, S4 taper (shape).
    posterior_heights_mm, posterior_widths_mm
        Posterior foramina S1..S4: S1 10.36 x 7.66, S2 7.05 x 7.30 (JCDR 2018) [A]; S3, S4 taper (shape).
    anterior_offsets_mm
        Distance of the anterior foramina from the median plane; zone 3 about 15 wide, zone 2 10 to 12 [K].
    posterior_offsets_mm
        The same of the posterior foramina; S2 to S2 29.8 ± 2.7 across (27 sacra) [A].
    lateral_half_widths_mm
        Half the width of the lateral mass at the lower ends of S2..S5; that of S1 follows ``alar_breadth_mm`` (shape).
    ala_slope_deg
        Fall of the upper face of the ala to the side (shape).
    ala_step_mm
        Height of the endplate above the ala at its rim (shape).
    ala_depth_mm
        Depth of the ala at S1; 44.09 (JCDR 2018) [A].
    auricular_height_mm
        Long axis of the auricular face; 56.2 ± 4.6 (PMC5799488) [T].
    auricular_width_mm
        Width of the ear-shaped band (shape).
    auricular_convergence_deg
        Convergence of the two faces to the back at their top; joint plane 0 to 40° from sagittal
        (musculoskeletalkey, chapter 3) [T].
    lamina_thickness_mm
        Bone behind the canal (shape).
    crest_height_mm
        Median crest behind the laminae (shape).
    facet_offset_mm
        S1 superior articular facets from the median plane (shape).
    hiatus_mm
        Length of the open part of the canal at its lower end (shape).
    """

    straight_length_mm: float = 94.0
    body_heights_mm: Quint = (28.9, 24.0, 19.0, 16.5, 15.5)
    alar_breadth_mm: float = 106.0
    endplate_transverse_mm: float = 46.0
    endplate_ap_mm: float = 30.2
    slope_deg: float = 40.0
    promontory_tilt_deg: float = 28.0
    body_depths_mm: Quint = (18.5, 15.0, 12.5, 10.5, 8.5)
    body_half_widths_mm: Quint = (17.5, 14.5, 13.0, 11.5, 8.5)
    canal_widths_mm: Quad = (29.0, 24.0, 19.0, 15.0)
    canal_depths_mm: Quad = (17.0, 13.0, 10.0, 8.0)
    anterior_heights_mm: Quad = (13.0, 12.8, 10.5, 8.5)
    anterior_widths_mm: Quad = (12.2, 12.6, 10.5, 8.5)
    posterior_heights_mm: Quad = (10.4, 7.1, 6.4, 5.6)
    posterior_widths_mm: Quad = (7.7, 7.3, 6.2, 5.4)
    anterior_offsets_mm: Quad = (22.0, 20.0, 17.5, 15.0)
    posterior_offsets_mm: Quad = (17.5, 15.0, 14.0, 12.0)
    lateral_half_widths_mm: Quad = (45.0, 33.0, 26.5, 9.0)
    ala_slope_deg: float = 22.0
    ala_step_mm: float = 4.5
    ala_depth_mm: float = 44.0
    auricular_height_mm: float = 56.0
    auricular_width_mm: float = 18.0
    auricular_convergence_deg: float = 18.0
    lamina_thickness_mm: float = 6.0
    crest_height_mm: float = 9.0
    facet_offset_mm: float = 23.0
    hiatus_mm: float = 11.0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if np.any(np.asarray(value) <= 0) or not np.all(np.isfinite(value)):
                raise InputError(
                    "must be positive and finite",
                    field=f"anatomy.parameters.{item.name}",
                    value=value,
                    mend="leave it out to take the preset's value",
                )
        if not 1.005 < self.ventral_arc_mm / self.straight_length_mm < 1.3:
            raise InputError(
                f"the ventral arc ({self.ventral_arc_mm:g} mm, sum of body_heights_mm) must be 1.005 to 1.3 times it",
                field="anatomy.parameters.straight_length_mm",
                value=self.straight_length_mm,
                mend="change the length or the body heights",
            )

    @property
    def ventral_arc_mm(self) -> float:
        """Length of the ventral face from promontory to apex along the bone."""
        return float(sum(self.body_heights_mm))

    @classmethod
    def preset(cls, sex: Sex = "female") -> SacrumParameters:
        """The female or the male sacrum of the published dimensions.

        Raises
        ------
        InputError
            For any other name.
        """
        if sex == "female":
            return cls()
        if sex == "male":
            return replace(
                cls(),
                straight_length_mm=107.5,
                body_heights_mm=(28.2, 26.0, 22.0, 19.0, 18.2),
                alar_breadth_mm=102.0,
                endplate_transverse_mm=50.0,
                endplate_ap_mm=31.9,
                promontory_tilt_deg=24.0,
                body_depths_mm=(20.5, 17.0, 14.5, 12.0, 9.5),
                body_half_widths_mm=(18.5, 15.5, 13.5, 12.0, 9.0),
                lateral_half_widths_mm=(44.5, 34.0, 27.5, 9.5),
                auricular_height_mm=60.0,
                auricular_convergence_deg=14.0,
                posterior_heights_mm=(11.0, 7.6, 6.8, 6.0),
                posterior_offsets_mm=(18.0, 15.5, 14.8, 12.8),
                canal_depths_mm=(17.0, 13.0, 10.5, 8.5),
            )
        raise InputError("no such preset", field="anatomy.sex", value=sex, mend="use 'female' or 'male'")
