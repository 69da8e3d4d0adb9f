"""VP-16 Contact of two curved bodies (Hertz).

Two equal elastic bodies with the gap r² / (2 R) between them, pressed together by F, touch on a disc of radius a:
a³ = 3 F R / (4 E*), 1/E* = 2 (1 - nu²) / E, pressure p0 sqrt(1 - r²/a²), p0 = (6 F E*² / (pi³ R²))^(1/3), approach
a² / R (Hertz 1882; Johnson, Contact Mechanics, 4.2). Paired faces with that distance between them, point by point;
a quarter model to 4 a whose outer faces follow the exact field. Radius and pressure are compared at the force found;
the pressure point by point is not promised: at integration points it is noisy near the rim.
"""

from dataclasses import replace

import numpy as np
import pytest
from blocks_of_tets import graded, opened, quarter_cylinder
from closed_forms import DiscSource
from elasticity import at, bone_of, gap_of, held, stiffness

from sacrofem.mechanics.equilibrium.active_set import solve_contact
from sacrofem.mechanics.linear.settings import SolverSettings
from sacrofem.mechanics.parts.bone import bone_forces
from sacrofem.mechanics.parts.contact import face_closure
from sacrofem.mechanics.space.space import Space

A, R, E, NU = 5.0, 500.0, 1000.0, 0.3
END, MODULUS = 4.0 * A, E / (2 * (1 - NU**2))
FORCE, APPROACH = 4.0 * MODULUS * A**3 / (3.0 * R), A**2 / R


def pressed(n):
    """Space, displacement and contact at h/a = 1/n."""
    h = A / n
    radii, z = graded(h, np.ceil(1.25 * n) * h, END, 1.5), graded(h, h, END, 1.4)
    mesh = opened(quarter_cylinder(radii, np.concatenate([-z[:0:-1], z])), 0.0)
    space, coarse = Space(mesh, 2), Space(mesh, 1)
    hull = mesh.points[mesh.faces]
    far = np.isclose(np.abs(hull[..., 2]), END) | np.isclose(np.hypot(hull[..., 0], hull[..., 1]), END)
    outer = np.zeros(space.n_nodes, bool)
    outer[space.face_nodes[far.all(axis=1)]] = True
    upper = np.zeros(space.n_nodes, bool)
    upper[space.connectivity[mesh.centroids[:, 2] > 0]] = True
    place = space.nodes.copy()
    place[:, 2] = np.where(upper, 1.0, -1.0) * np.maximum(np.abs(place[:, 2]), 1e-12)
    fixed = held(space, (outer, [0, 1, 2]), (at(space, 0, 0.0), 0), (at(space, 1, 0.0), 1))
    moved = np.where(outer[:, None], DiscSource(A, E, NU).hertz(FORCE, place), 0.0)
    moved[at(space, 0, 0.0), 0] = moved[at(space, 1, 0.0), 1] = 0.0
    none = np.zeros(space.gap.areas.shape)
    radius = np.hypot(space.gap.points[..., 0], space.gap.points[..., 1])
    law = face_closure(space, bone_of(space, E, NU), none, 0.0, gap_of(space, 0.0), 0.0)
    law = replace(law, clearance=radius**2 / (2 * R) - APPROACH)
    solution, state = solve_contact(
        space, stiffness(space, E, NU), fixed, law, np.zeros_like(moved),
        prescribed=moved, coarse=lambda: stiffness(coarse, E, NU), settings=SolverSettings(tolerance=1e-11), steps=1,
    )  # fmt: skip
    return space, solution.displacement, state, upper


@pytest.mark.slow
@pytest.mark.parametrize("n", [4, 6])
def test_hertz(n, record):
    space, displacement, state, upper = pressed(n)
    mesh, size, areas = f"Tet10, h/a {1 / n:.3g}", 1 / n, space.gap.areas
    force = 4.0 * np.sum(state.pressure * areas)
    record(quantity="force", computed=force, exact=FORCE, tolerance=0.03, mesh=mesh, size=size)
    above = np.flatnonzero(space.mesh.centroids[:, 2] > 0)
    internal = bone_forces(space, displacement, bone_of(space, E, NU), above)
    free = upper & at(space, 2, 0.0) & (np.hypot(space.nodes[:, 0], space.nodes[:, 1]) < 2.0 * A)
    through = 4.0 * internal[free, 2].sum()
    record(quantity="force of the bone", computed=through, exact=force, tolerance=1e-9, mesh=mesh)
    radius = (3 * force * R / (4 * MODULUS)) ** (1 / 3)
    found = np.sqrt(4.0 * np.sum(areas * state.closed) / np.pi)
    record(quantity="radius of contact", computed=found, exact=radius, tolerance=0.06, mesh=mesh, size=size)
    peak = (6 * force * MODULUS**2 / (np.pi**3 * R**2)) ** (1 / 3)
    r = np.hypot(space.gap.points[..., 0], space.gap.points[..., 1])
    shape, core = np.sqrt(np.maximum(1 - (r / radius) ** 2, 0.0)), areas * (r < 0.9 * radius)
    fitted = np.sum(state.pressure * shape * core) / np.sum(shape**2 * core)
    record(quantity="peak pressure, fitted", computed=fitted, exact=peak, tolerance=0.02, mesh=mesh, size=size)
    record(quantity="penetration over approach", error=state.penetration_mm / APPROACH, tolerance=2e-3, mesh=mesh)
