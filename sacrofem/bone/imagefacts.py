"""What is said of an image that was read: in JSON, in reports and on the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

_TOWARDS = {"L": "left", "R": "right", "A": "front", "P": "back", "S": "top", "I": "bottom"}


@dataclass(frozen=True)
class ImageFacts:
    """Which image, and how it lies in space.

    Attributes
    ----------
    file
        As it was named.
    format
        Such as ``NIfTI-1``; of a series of DICOM with its number, description and slices.
    shape : tuple of int
        Voxels along the image's own axes.
    voxel_mm : tuple of float
        Their edge lengths.
    orientation
        Where the image's own axes lead, such as ``RAS``: to the right, the front and the top.
    files : tuple of str
        Every file that was read for it.
    notes : tuple of str
        What was assumed or mended.
    """

    file: str
    format: str
    shape: tuple[int, ...]
    voxel_mm: tuple[float, ...]
    orientation: str
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All of it in one line, without the notes."""
        voxels, steps = " x ".join(map(str, self.shape)), " x ".join(f"{step:.3g}" for step in self.voxel_mm)
        axes = ", ".join(_TOWARDS.get(letter, "?") for letter in self.orientation)
        name = PurePath(self.file).name
        return f"{name}: {self.format}, {voxels} voxels of {steps} mm, axes {self.orientation} (to the {axes})"

    def to_json(self) -> dict[str, Any]:
        """Plain data; every key is always there."""
        return {
            "file": PurePath(self.file).name,
            "format": self.format,
            "shape": list(self.shape),
            "voxel_mm": [round(step, 6) for step in self.voxel_mm],
            "orientation": self.orientation,
            "files": [PurePath(file).name for file in self.files],
            "notes": list(self.notes),
        }
