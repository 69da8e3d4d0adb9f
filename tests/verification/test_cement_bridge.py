"""VP-22: two blocks joined on a disc of radius a across an empty gap, by coverage on a mesh that does not follow it.

Two half-spaces of modulus E approach by P (1 - nu²) / (E a): the joined disc stays plane by symmetry, so each
is under a flat punch (Boussinesq 1885; Johnson, Contact Mechanics, 3.4). The lattice is square, so the rim of
the disc cuts faces; a stiffness that welds every touched face would be 8 to 13 % too stiff at h = a/4.

A quarter model (x, y >= 0) reaches to 4 a; its outer faces follow the exact field of the half-spaces (one solve
for the force, one for the approach at infinity), which corrects for its size exactly. With cement of finite
stiffness k the reference is the axisymmetric integral equation U = w(p) + p / (2 k) on each half, solved on
rings with the displacement of an evenly loaded disc (Johnson, 3.29).
"""

import numpy as np
import pytest
from blocks_of_tets import graded, lattice, opened
from closed_forms import DiscSource
from elasticity import at, held, system, uniform
from scipy.special import ellipe, ellipk

from sacrofem.mechanics.interface import Filler, constriction_compliance, fracture_force, gap_stiffness
from sacrofem.mechanics.space import Space

A, E, NU, FORCE = 5.0, 300.0, 0.3, 100.0
# Rigid enough (k a / E = 2e4), and soft enough that the force still follows from the jump.
RIGID, OPEN = Filler(1e6, 0.0), Filler(0.0)
PMMA = Filler(2500.0, 0.3)


def series_factor(cement):
    """Approach with cement of this law (1 mm thick) over that of a rigid bridge."""
    stiffness = 2.0 * cement.stiffness(1.0)[0]
    edges = A * np.sin(np.linspace(0.0, np.pi / 2, 301))
    middles = A * np.sin((np.linspace(0.0, np.pi / 2, 301)[1:] + np.linspace(0.0, np.pi / 2, 301)[:-1]) / 2)
    b, r = np.broadcast_arrays(edges[None], middles[:, None])
    inside = r <= b
    safe = np.where(b > 0, b, 1.0)
    inner = b * ellipe(np.where(inside & (b > 0), r / safe, 0.0) ** 2)
    q = np.where(inside, 0.0, b / r) ** 2
    outer = r * (ellipe(q) - (1 - q) * ellipk(q))
    disc = 4 * (1 - NU**2) / (np.pi * E) * np.where(inside, inner, outer)
    matrix = np.diff(disc, axis=1) + np.eye(300) / stiffness
    pressure = np.linalg.solve(matrix, np.ones(300))
    load = np.pi * np.diff(edges**2) @ pressure
    return 2.0 / (load * (1 - NU**2) / (E * A))


def bridge(h, cement, order=2, *, constricted=True):
    """Approach over that of the rigid bridge in closed form, and unknowns."""
    end = 4.0 * A
    ticks, z = graded(h, np.ceil(1.2 * A / h) * h, end, 1.5), graded(h, h, end, 1.5)
    mesh = opened(lattice(ticks, ticks, np.concatenate([-z[:0:-1], z])), 0.0)
    space = Space(mesh, order)
    coverage = (np.hypot(space.gap.points[..., 0], space.gap.points[..., 1]) < A).astype(float)
    compliance = constriction_compliance(space, uniform(space, E), coverage) if constricted else None
    gap = gap_stiffness(coverage, 1.0, OPEN, cement, compliance)
    outer = np.isclose(np.abs(space.nodes), end).any(axis=1)
    fixed = held(space, (outer, [0, 1, 2]), (at(space, 0, 0.0), 0), (at(space, 1, 0.0), 1))
    problem = system(space, E, NU, fixed, gap=gap, method="auto", tolerance=1e-9)

    def force(displacement):
        found = problem.solve(np.zeros_like(space.nodes), displacement).displacement
        return -4.0 * fracture_force(space, found, *gap)[:, 2].sum()

    centre = space.mesh.centroids[:, 2] > 0
    upper = np.zeros(space.n_nodes, bool)
    upper[space.connectivity[centre]] = True
    # A twin on the gap lies in z = 0 on both sides: the mirror image must know which half it is in.
    place = space.nodes.copy()
    place[:, 2] = np.where(upper, 1.0, -1.0) * np.maximum(np.abs(place[:, 2]), 1e-12)
    field = np.where(outer[:, None], DiscSource(A, E, NU).punch(FORCE, place), 0.0)
    field[fixed & ~outer[:, None]] = 0.0
    approach = np.where(outer[:, None] * [0, 0, 1], np.where(upper, -1.0, 1.0)[:, None], 0.0)
    half = (FORCE - force(field)) / force(approach)
    return 2.0 * half / (FORCE * (1 - NU**2) / (E * A)), 3 * space.n_nodes


def test_the_reference_with_finite_stiffness_has_its_two_limits():
    """A rigid bridge, and a layer so soft that its pressure is even: delta = P / (k pi a²)."""
    assert series_factor(RIGID) == pytest.approx(1.0, abs=1e-4)
    soft = Filler(1e-3, 0.0)
    layer = 1.0 / (1e-3 * np.pi * A**2) / ((1 - NU**2) / (E * A))
    assert series_factor(soft) == pytest.approx(layer, rel=1e-3)


@pytest.mark.parametrize("cement", [RIGID, PMMA], ids=["rigid", "PMMA"])
def test_bridge_by_coverage_at_a_quarter_of_the_radius(cement):
    ratio, _ = bridge(A / 4, cement)
    assert ratio == pytest.approx(1.0, abs=0.05)
    assert ratio / series_factor(cement) == pytest.approx(1.0, abs=0.03)


def test_without_the_constriction_touched_faces_weld():
    """Why `constriction_compliance` is there; a change that makes it needless should be noticed."""
    ratio, _ = bridge(A / 4, RIGID, constricted=False)
    assert ratio < 0.94


@pytest.mark.slow
@pytest.mark.parametrize("cement", [RIGID, PMMA], ids=["rigid", "PMMA"])
def test_bridge_error_halves_with_the_size(cement):
    """Rim and lattice meet differently at every size, so two sizes near each, and bounds that halve."""
    reference = series_factor(cement)
    for sizes, bound in (((2.0, 2.2), 0.06), ((4.0, 4.5), 0.03), ((7.0, 8.0), 0.015)):
        for share in sizes:
            assert bridge(A / share, cement)[0] / reference == pytest.approx(1.0, abs=bound)
