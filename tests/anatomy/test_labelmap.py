"""Label maps: smooth, true to their voxels, in any orientation; and what is refused."""

import numpy as np
import pytest

from sacrofem.anatomy.scan.labelmap import label_solid
from sacrofem.errors import InputError

pytest.importorskip("SimpleITK")


def ball(spacing, radius=40.0, turn=0.0, margin=8):
    spacing = np.asarray(spacing, dtype=float)
    count = np.ceil(2 * radius / spacing).astype(int) + 2 * margin
    c, s = np.cos(turn), np.sin(turn)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) * spacing
    affine[:3, 3] = -affine[:3, :3] @ (0.5 * (count - 1))
    index = np.stack(np.meshgrid(*[np.arange(n) for n in count], indexing="ij"), axis=-1)
    return np.linalg.norm(index @ affine[:3, :3].T + affine[:3, 3], axis=-1) < radius, affine


@pytest.mark.parametrize(("spacing", "turn"), [((3.0, 3.0, 3.0), 0.0), ((1.0, 1.0, 3.0), 0.0), ((2.0, 2.0, 2.0), 0.5)])
def test_no_staircase(spacing, turn):
    mask, affine = ball(spacing, turn=turn)
    solid, checks, notes = label_solid(mask, affine, "map.nii")
    voxels = mask.sum() * abs(np.linalg.det(affine[:3, :3])) / 1e3
    assert checks.volume_ml == pytest.approx(voxels, rel=0.02)
    assert notes == ()
    # Roughness: how far points of the true sphere lie from the surface, less than half a voxel everywhere.
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(4000, 3))
    on = 40.0 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    away = solid.signed_distance(on)
    assert np.abs(away).max() < 0.5 * max(spacing)
    assert away.std() < 0.2 * max(spacing)


def test_a_label_that_is_cut_off_absent_or_too_small():
    mask, affine = ball((3.0, 3.0, 3.0))
    with pytest.raises(InputError, match="touches the border"):
        label_solid(mask[12:], affine, "map.nii")
    with pytest.raises(InputError, match="is empty"):
        label_solid(np.zeros_like(mask), affine, "map.nii")
    small, affine = ball((1.0, 1.0, 1.0), radius=10.0)
    with pytest.raises(InputError, match="at its longest"):
        label_solid(small, affine, "map.nii")
