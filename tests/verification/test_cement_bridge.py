"""VP-22 Cement bridge: two blocks joined on a disc across an empty gap.

Two half-spaces of modulus E joined on a disc of radius a approach by P (1 - nu²) / (E a): the disc stays plane by
symmetry, so each is under a flat punch (Boussinesq 1885; Johnson, Contact Mechanics, 3.4). Under a shear force they
slide by P (2 - nu) / (4 G a) (Mindlin 1949, J Appl Mech 16:259; Johnson, 7.2; derived in `DiscSource.shear`): the
normal displacements of both go together, so no normal traction is needed.

A quarter model (x, y >= 0) reaches to 4 a; its outer faces follow the exact field of the half-spaces (one solve for
the force, one for the approach at infinity), which corrects for its size exactly. `Conforming`: the mesh follows the
disc, and only the gap around it is split. By coverage: a square lattice, whose faces the rim of the disc cuts; a
stiffness that welds every touched face would be 8 to 13 % too stiff at h = a/4. With cement of finite stiffness k the
reference is the axisymmetric integral equation U = w(p) + p / (2 k) on each half, solved on rings with the
displacement of an evenly loaded disc (Johnson, 3.29).
"""

import numpy as np
import pytest
from blocks_of_tets import graded, lattice, opened, quarter_cylinder
from closed_forms import DiscSource
from elasticity import at, bone_of, gap_of, held, hooke, system
from scipy.special import ellipe, ellipk

from sacrofem.mechanics.parts.bone import bone_forces
from sacrofem.mechanics.parts.interface import Filler, constriction_compliance, gap_stiffness
from sacrofem.mechanics.space.space import Space

A, E, NU, FORCE = 5.0, 300.0, 0.3, 100.0
END = 4.0 * A
SOURCE = DiscSource(A, E, NU)
# Approach or slide of the two half-spaces.
EXACT = {"normal": FORCE * (1 - NU**2) / (E * A), "shear": FORCE * (2 - NU) * (1 + NU) / (2 * E * A)}
# Rigid enough (k a / E = 2e4), and soft enough that the force still follows from the jump.
RIGID, OPEN = Filler(1e6, 0.0), Filler(0.0)
PMMA = Filler(2500.0, 0.3)


def series_factor(cement):
    """Approach with cement of this law (1 mm thick) over that of a rigid bridge."""
    stiffness = 2.0 * cement.stiffness(1.0)[0]
    angle = np.linspace(0.0, np.pi / 2, 301)
    edges, middles = A * np.sin(angle), A * np.sin((angle[1:] + angle[:-1]) / 2)
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


def covered(h, cement, *, constricted=True):
    """A lattice with a gap all across, and its law with cement on the disc."""
    ticks, z = graded(h, np.ceil(1.2 * A / h) * h, END, 1.5), graded(h, h, END, 1.5)
    space = Space(opened(lattice(ticks, ticks, np.concatenate([-z[:0:-1], z])), 0.0), 2)
    coverage = (np.hypot(space.gap.points[..., 0], space.gap.points[..., 1]) < A).astype(float)
    compliance = constriction_compliance(space, bone_of(space, E, NU), coverage) if constricted else None
    return space, gap_stiffness(coverage, 1.0, OPEN, cement, compliance)


def conforming(h):
    """A mesh that follows the disc and is split around it; the gap is empty."""
    inward, outward, z = graded(h, h, A, 1.25), graded(h, h, END - A, 1.6), graded(h, h, END, 1.5)
    radii = np.concatenate([[0.0], A - inward[-2::-1], A + outward[1:]])
    mesh = quarter_cylinder(radii, np.concatenate([-z[:0:-1], z]))
    space = Space(opened(mesh, 0.0, lambda centres: np.hypot(centres[:, 0], centres[:, 1]) > A), 2)
    return space, gap_of(space, 0.0)


def approach(space, gap, direction="normal"):
    """Approach, or slide, over that of the rigid bridge in closed form."""
    mesh, axis = space.mesh, 2 if direction == "normal" else 0
    hull = mesh.points[mesh.faces]
    far = np.isclose(np.abs(hull[..., 2]), END).all(axis=1) | (
        np.isclose(np.hypot(hull[..., 0], hull[..., 1]), END).all(axis=1)
        | np.isclose(hull[..., :2], END).all(axis=1).any(axis=1)
    )
    outer = np.zeros(space.n_nodes, bool)
    outer[space.face_nodes[far]] = True
    # Under shear the plane x = 0 is one of antisymmetry.
    planes = ((at(space, 0, 0.0), 0 if axis == 2 else [1, 2]), (at(space, 1, 0.0), 1))
    fixed = held(space, (outer, [0, 1, 2]), *planes)
    problem = system(space, E, NU, fixed, gap=gap, method="auto", tolerance=1e-9)
    above = np.flatnonzero(mesh.centroids[:, 2] > 0)
    upper = np.zeros(space.n_nodes, bool)
    upper[space.connectivity[above]] = True
    on_outer = outer & upper

    def force(displacement):
        """What the upper block is pulled with, from its nodal forces on the plane of the gap."""
        found = problem.solve(np.zeros_like(space.nodes), displacement).displacement
        internal = bone_forces(space, found, bone_of(space, E, NU), above)
        return -4.0 * internal[at(space, 2, 0.0) & upper, axis].sum()

    # A node in z = 0 lies on both sides: the mirror image must know which half it is in.
    place = space.nodes.copy()
    place[:, 2] = np.where(upper, 1.0, -1.0) * np.maximum(np.abs(place[:, 2]), 1e-12)
    known = SOURCE.punch(-FORCE, place) if axis == 2 else SOURCE.shear(-FORCE, place)
    field = np.where(outer[:, None], known, 0.0)
    moved = np.where(upper, 1.0, -1.0)[:, None] * np.eye(3)[axis]
    unit = np.where(outer[:, None], moved, 0.0)
    for each in (field, unit):
        each[fixed & ~outer[:, None]] = 0.0
    assert on_outer.any()
    half = (FORCE - force(field)) / force(unit)
    return 2.0 * half / EXACT[direction]


def test_the_reference_with_finite_stiffness_has_its_two_limits():
    """A rigid bridge, and a layer so soft that its pressure is even: delta = P / (k pi a²)."""
    assert series_factor(RIGID) == pytest.approx(1.0, abs=1e-4)
    soft = Filler(1e-3, 0.0)
    layer = 1.0 / (1e-3 * np.pi * A**2) / ((1 - NU**2) / (E * A))
    assert series_factor(soft) == pytest.approx(layer, rel=1e-3)


def test_the_shear_field_is_elastic_and_leaves_the_disc_where_it_should():
    """Equilibrium by differences, no traction on the free surface, and the two bodies fit together."""
    step, x = 1e-2 * A, A * np.array([[2.0, 1.0, 1.5], [-1.0, 2.5, 3.0]])

    def stress(x, d):
        columns = [(SOURCE.shear(FORCE, x + e) - SOURCE.shear(FORCE, x - e)) / (2 * d) for e in d * np.eye(3)]
        return hooke(np.stack(columns, axis=-1), E, NU)

    push = sum(
        (stress(x + e, step) - stress(x - e, step))[:, :, j] / (2 * step) for j, e in enumerate(step * np.eye(3))
    )
    assert np.abs(push).max() < 2e-3 * np.abs(stress(x, step)).max() / A
    shallow = A * np.array([[2.0, 1.0, 1e-3], [0.5, 3.0, 1e-3]])
    assert np.abs(stress(shallow, 1e-4 * A)[:, :, 2]).max() < 5e-3 * np.abs(stress(shallow, 1e-4 * A)).max()
    far = 400.0 * A * np.array([[0.0, 0.0, 1.0]])
    depth = far[0, 2] * 4 * np.pi * E / (2 * (1 + NU)) / FORCE
    assert SOURCE.shear(FORCE, far)[0, 0] * depth == pytest.approx(1 + (1 - 2 * NU) / 2, rel=1e-4)
    both = SOURCE.shear(FORCE, np.array([[2 * A, A, 1e-9], [2 * A, A, -1e-9]]))
    np.testing.assert_allclose(both[0, :2], -both[1, :2])
    assert both[0, 2] == pytest.approx(both[1, 2])


@pytest.mark.parametrize("direction", ["normal", "shear"])
@pytest.mark.parametrize("n", [4, pytest.param(10, marks=pytest.mark.slow)])
def test_conforming_bridge(direction, n, record):
    ratio = approach(*conforming(A / n), direction)
    record(
        quantity=f"{direction}, conforming", computed=ratio * EXACT[direction], exact=EXACT[direction],
        tolerance={4: 0.05, 10: 0.03}[n], mesh=f"Tet10, h/a {1 / n:.3g}", size=1 / n,
    )  # fmt: skip


@pytest.mark.parametrize("direction", ["normal", "shear"])
@pytest.mark.parametrize("n", [4, pytest.param(10, marks=pytest.mark.slow)])
def test_rigid_bridge_by_coverage(direction, n, record):
    ratio = approach(*covered(A / n, RIGID), direction)
    record(
        quantity=f"{direction}, by coverage", computed=ratio * EXACT[direction], exact=EXACT[direction],
        tolerance={4: 0.05, 10: 0.03}[n], mesh=f"Tet10, h/a {1 / n:.3g}", size=1 / n,
    )  # fmt: skip


def test_bridge_of_bone_cement_by_coverage(record):
    ratio, exact = approach(*covered(A / 4, PMMA)), series_factor(PMMA)
    record(
        quantity="normal, PMMA by coverage", computed=ratio * EXACT["normal"], exact=exact * EXACT["normal"],
        tolerance=0.03, mesh="Tet10, h/a 0.25", size=0.25,
    )  # fmt: skip


def test_without_the_constriction_touched_faces_weld():
    """Why `constriction_compliance` is there; a change that makes it needless should be noticed."""
    assert approach(*covered(A / 4, RIGID, constricted=False)) < 0.94


@pytest.mark.slow
@pytest.mark.parametrize("cement", [RIGID, PMMA], ids=["rigid", "PMMA"])
def test_bridge_error_halves_with_the_size(cement, record):
    """Rim and lattice meet differently at every size, so two sizes near each, and bounds that halve."""
    exact, name = series_factor(cement) * EXACT["normal"], "rigid" if cement is RIGID else "PMMA"
    for sizes, bound in (((2.0, 2.2), 0.06), ((4.0, 4.5), 0.03), ((7.0, 8.0), 0.015)):
        for share in sizes:
            computed = approach(*covered(A / share, cement)) * EXACT["normal"]
            record(
                quantity=f"normal, {name} by coverage, halving bounds", computed=computed, exact=exact,
                tolerance=bound, mesh=f"Tet10, h/a {1 / share:.3g}",
            )  # fmt: skip
