"""Dimensions measured back off a mesh."""

import numpy as np
import pytest
from morphometry import measure_sacrum, ray_lengths, width_at

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum
from sacrofem.mesh.tetmesh import TetMesh


def test_rays_through_a_box():
    points = np.array([[x, y, z] for x in (0.0, 2.0) for y in (0.0, 3.0) for z in (0.0, 5.0)])
    tets = np.array([[0, 4, 6, 7], [0, 6, 2, 7], [0, 2, 3, 7], [0, 3, 1, 7], [0, 1, 5, 7], [0, 5, 4, 7]])
    box = TetMesh.from_tets(points, tets)
    centre = np.array([0.5, 1.1, 2.3])
    assert ray_lengths(box, centre, np.array([2.0, 0, 0])) == pytest.approx([1.5])
    assert width_at(box, centre, np.array([0.0, 0, 1.0])) == pytest.approx(5.0)
    assert width_at(box, centre + np.array([0.0, 0.0, 9.0]), np.array([0.0, 0, 1.0])) == np.inf


def test_coarse_mesh_measures_roughly_as_the_preset(mesh, marks):
    wanted = ParametricSacrum().parameters
    measured = measure_sacrum(mesh, marks)
    assert measured.straight_length_mm == pytest.approx(wanted.straight_length_mm, rel=0.05)
    assert measured.endplate_transverse_mm == pytest.approx(wanted.endplate_transverse_mm, rel=0.07)
    right = measure_sacrum(mesh, marks, "right")
    assert right.anterior_widths_mm == pytest.approx(measured.anterior_widths_mm, rel=1e-9)
