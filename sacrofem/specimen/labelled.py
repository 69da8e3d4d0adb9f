"""The sacrum of a label map: which image, which labels, and the body of S1 where it is a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sacrofem.anatomy.scan.labels import Chosen, Label, choose_labels
from sacrofem.bone.imagefacts import ImageFacts
from sacrofem.bone.images.image import Image
from sacrofem.bone.images.read import read_image
from sacrofem.errors import InputError
from sacrofem.system.arrays import BoolArray, FloatArray

_WIDEST, _MOST_LABELS = 65_535, 500
# Labels that were resampled linearly, or stored with a slope, lie this near to whole numbers.
_WHOLE = 1e-3
_SACRUM, _S1 = "sacrum", "vertebrae_S1"
# Of a voxel: two files are of one grid.
_APART = 0.01
_MEND = "give the label map here, and the CT in anatomy.ct"


@dataclass(frozen=True)
class LabelSource:
    """Where a mask comes from: image and labels.

    Attributes
    ----------
    image : ImageFacts
        Of all files that were read.
    chosen : Chosen
    """

    image: ImageFacts
    chosen: Chosen

    @property
    def notes(self) -> tuple[str, ...]:
        """Which image, orientation and labels, and what was mended."""
        return (self.image.text, f"the sacrum is {self.chosen.text}", *self.image.notes)

    def to_json(self) -> dict[str, Any]:
        """Plain data; every key is always there."""
        labels = [{"number": label.number, "name": label.name or None} for label in self.chosen.labels]
        return {**self.image.to_json(), "labels": labels, "labels_named_by": self.chosen.named_by}

    def without_endplate(self) -> InputError:
        """The refusal of a sacrum whose S1 endplate is nowhere: that label is likely to be missing."""
        suffix = _suffix(Path(self.image.file))
        return InputError(
            "the bone has no S1 endplate: TotalSegmentator v2 keeps the body of S1 in a label of its own",
            file=self.image.file, field="anatomy.path",
            mend=f"put {_S1}{suffix} beside it as {_SACRUM}{suffix}, or give the map of all classes",
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class LabelMask:
    """A bone in an image.

    Attributes
    ----------
    mask : (ni, nj, nk)
        True in the bone.
    affine : (4, 4)
        From indices to LPS mm.
    source : LabelSource
    """

    mask: BoolArray
    affine: FloatArray
    source: LabelSource


def files_of_labels(path: Path, labels: Sequence[int | str]) -> tuple[Path, ...]:
    """The file of a label map, and the one beside it that holds the body of S1 where it is one file a class."""
    suffix = _suffix(path)
    other = path.with_name(_S1 + suffix)
    alone = bool(labels) or path.name[: len(path.name) - len(suffix)].lower() != _SACRUM
    return (path,) if alone or other.is_symlink() or not other.is_file() else (path, other)


def read_mask(path: Path, labels: Sequence[int | str]) -> LabelMask:
    """The sacrum of a label map.

    Parameters
    ----------
    path
        File of an image.
    labels
        Numbers or names; none: see `sacrofem.anatomy.scan.labels.choose_labels`.

    Raises
    ------
    InputError
        The image cannot be read, is no label map, or has no label that can be the sacrum.
    """
    image = read_image(path)
    values, notes = _whole(image.values, path)
    present = _present(values, image, path)
    voxel_ml = abs(float(np.linalg.det(image.affine[:3, :3]))) / 1e3

    def measure(number: int) -> tuple[float, float]:
        places = np.argwhere((values == number).any(axis=0))
        return len(places) * voxel_ml, float(image.affine[2, :3] @ places.mean(axis=0) + image.affine[2, 3])

    chosen = choose_labels(labels, present, measure, str(path))
    mask: BoolArray = np.zeros(values.shape[1:], bool)
    for layer in {label.layer for label in chosen.labels}:
        mask |= np.isin(values[layer], [label.number for label in chosen.labels if label.layer == layer])
    files = files_of_labels(path, labels) if len(present) == 1 else (path,)
    for other in files[1:]:
        more = _same_grid(path, image, other)
        mask |= more
        notes = (*notes, f"{other.name} beside it holds the body of S1: it is united with {path.name}")
    affine = image.affine
    if image.cropped:
        mask, affine = np.pad(mask, 1), affine.copy()
        affine[:3, 3] -= affine[:3, :3].sum(axis=1)
        notes = (*notes, "the file is cropped to its segments: where they end nothing says that the bone does")
    read = dict.fromkeys((*image.facts.files, *map(str, files)))
    facts = replace(image.facts, files=tuple(read), notes=(*image.facts.notes, *notes))
    return LabelMask(mask, affine, LabelSource(facts, chosen))


def _suffix(path: Path) -> str:
    return ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix


def _same_grid(path: Path, image: Image, other: Path) -> BoolArray:
    second = read_image(other)
    voxel = float(np.linalg.norm(image.affine[:3, :3], axis=0).min())
    far = np.abs(second.affine - image.affine)[:3] @ [*second.values.shape[1:], 1.0]
    if second.values.shape != image.values.shape or far.max() > _APART * voxel:
        raise InputError(
            f"lies on another grid than {path.name}", file=other, field="anatomy.path",
            mend="export both on one grid, or put it elsewhere",
        )  # fmt: skip
    return np.asarray(_whole(second.values[0], other)[0] != 0)


def _whole(values: NDArray[Any], path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Labels as whole numbers; fractions are none, but for rounding."""
    if values.dtype.kind != "f":
        return values, ()
    rounded = np.round(values)
    away = float(np.max(np.abs(values - rounded), initial=0.0))
    if not away <= _WHOLE or not np.abs(rounded).max(initial=0.0) < 1 << 53:
        problem = "holds values that are no labels, but fractions or no numbers"
        raise InputError(problem, file=path, field="anatomy.path", mend=_MEND)
    note = f"its labels lie up to {away:.1g} beside whole numbers, to which they were rounded"
    return rounded.astype(np.int64), (note,) if away > 0.0 else ()


def _present(values: NDArray[Any], image: Image, path: Path) -> list[Label]:
    """The labels that a map holds, with the names that it gives them; refuses what is none."""
    found = []
    for layer, of_layer in enumerate(values):
        low, high = int(of_layer.min()), int(of_layer.max())
        # Counted, not sorted: a scan has a hundred million voxels.
        few = high - low <= _WIDEST
        there = (
            (np.flatnonzero(np.bincount(np.subtract(of_layer, low, dtype=np.int64).ravel())) + low).tolist()
            if few
            else []
        )
        if not 0 < len(there) <= _MOST_LABELS:
            problem = f"holds values from {low} to {high}: that is a CT, no label map"
            raise InputError(problem, file=path, field="anatomy.path", mend=_MEND)
        names = {label.number: label.name for label in image.labels if label.layer == layer}
        found += [Label(number, names.get(number, ""), layer) for number in there if number != 0]
    return found
