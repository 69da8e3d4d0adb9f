"""What every bone is from here on: an implicit solid with landmarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from sacrofem.system.arrays import FloatArray

if TYPE_CHECKING:
    from sacrofem.anatomy.frame import Frame

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
LEVELS = ("S1", "S2", "S3", "S4")


@dataclass(frozen=True, eq=False)
class AuricularFace:
    """The best plane of one auricular (sacroiliac) face.

    ``centre`` (3,) mm lies on the face; ``normal`` (3,) is the unit normal out of the sacrum
    (lateral); ``height_mm`` and ``width_mm`` are its extents along and across its long axis.
    """

    centre: FloatArray
    normal: FloatArray
    height_mm: float
    width_mm: float


@dataclass(frozen=True, eq=False)
class Corridor:
    """A channel that must stay free: a polyline with a radius at each vertex (mm).

    The canal runs from superior to inferior, a foramen from its anterior to its posterior mouth.
    """

    points: FloatArray
    radii: FloatArray


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Anatomical landmarks of a sacrum in the anatomical frame (mm; LPS; origin at the S1 endplate centre).

    ``levels`` are the centres of the vertebral bodies S1..S5. ``foramina`` has keys such as
    ``"S1_left"`` (levels S1..S4). ``auricular`` has keys ``"left"`` and ``"right"``.
    ``estimated`` names foramina that the bone does not show: where they should be, not where they are.
    ``endplate_normal`` is the unit normal out of the S1 endplate (superior and anterior).
    """

    endplate_centre: FloatArray
    endplate_normal: FloatArray
    promontory: FloatArray
    apex: FloatArray
    levels: FloatArray
    auricular: Mapping[Side, AuricularFace]
    canal: Corridor
    foramina: Mapping[str, Corridor] = field(default_factory=dict)
    estimated: frozenset[str] = frozenset()

    def moved(self, frame: Frame) -> Landmarks:
        """The same landmarks after a rigid motion."""

        def point(p: FloatArray) -> FloatArray:
            return np.asarray(frame.place(p[None])[0])

        def turned(face: AuricularFace) -> AuricularFace:
            return replace(face, centre=point(face.centre), normal=frame.rotation @ face.normal)

        def corridor(c: Corridor) -> Corridor:
            return Corridor(frame.place(c.points), c.radii)

        return Landmarks(
            point(self.endplate_centre), frame.rotation @ self.endplate_normal, point(self.promontory),
            point(self.apex), frame.place(self.levels),
            {side: turned(face) for side, face in self.auricular.items()}, corridor(self.canal),
            {name: corridor(c) for name, c in self.foramina.items()}, self.estimated,
        )  # fmt: skip


class Solid(Protocol):
    """Anything that knows how far a point is from its surface."""

    @property
    def bounds(self) -> FloatArray:
        """(2, 3) lower and upper corner of a box that holds the solid, mm."""
        ...

    @property
    def landmarks(self) -> Landmarks | None:
        """Landmarks, where the solid is a sacrum."""
        ...

    @property
    def symmetric(self) -> bool:
        """Whether the solid is its own mirror image in x."""
        ...

    def signed_distance(self, points: FloatArray) -> FloatArray:
        """(n,) approximate signed distance in mm at (n, 3) points, negative inside."""
        ...
