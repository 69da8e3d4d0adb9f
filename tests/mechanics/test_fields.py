"""Fields of a displacement against closed forms, and tractions of the gap against the force that it passes on."""

import copy

import numpy as np
import pytest
from blocks_of_tets import box, split_box
from elasticity import at, bone_of, faces_at, gap_of, held, stiffness, system, traction_force, uniform

from sacrofem.errors import InputError
from sacrofem.mechanics.equilibrium.active_set import solve_contact
from sacrofem.mechanics.linear.settings import SolverSettings
from sacrofem.mechanics.measures.fields import bone_fields, gap_fields, integration_point_fields, tensor, tet_fields
from sacrofem.mechanics.measures.statefields import FIELDS, TOLERANCE_MM, StateFields
from sacrofem.mechanics.parts.contact import cement_contact, face_closure, joined
from sacrofem.mechanics.parts.interface import Filler, GapStiffness
from sacrofem.mechanics.space.space import Space

SIZE, E, NU = (6.0, 5.0, 8.0), 300.0, 0.3
GRADIENT = np.random.default_rng(3).uniform(-1e-3, 1e-3, (3, 3))
SHEARS = [(1, 2), (0, 2), (0, 1)]


def voigt(gradient):
    """Six components with engineering shears of displacement gradients (..., 3, 3)."""
    normal = [gradient[..., i, i] for i in range(3)]
    return np.stack([*normal, *(gradient[..., i, j] + gradient[..., j, i] for i, j in SHEARS)], axis=-1)


def hooke(gradient):
    """Stress matrices by the textbook: E / (1 + ν) (ε + ν / (1 - 2ν) tr ε 1)."""
    strain = 0.5 * (gradient + np.swapaxes(gradient, -1, -2))
    trace = np.trace(strain, axis1=-2, axis2=-1)[..., None, None]
    return E / (1 + NU) * (strain + NU / (1 - 2 * NU) * trace * np.eye(3))


def state(space, displacement, **more):
    return StateFields(space, displacement, uniform(space, E), uniform(space, NU), **more)


def inside(mesh, count=200):
    rng = np.random.default_rng(4)
    tets = rng.integers(len(mesh.tets), size=count)
    return np.einsum("nc,ncx->nx", rng.dirichlet(np.ones(4), size=count), mesh.points[mesh.tets[tets]])


# ------------------------------------------------------------------ bone
@pytest.mark.parametrize("order", [1, 2])
def test_linear_displacement_has_constant_strain_and_stress(order):
    space = Space(box((3, 2, 3), SIZE, 0.2), order)
    u = space.nodes @ GRADIENT.T + [1.0, 2.0, 3.0]
    fields = state(space, u)
    strain, stress = voigt(GRADIENT), hooke(GRADIENT)
    points = inside(space.mesh)
    for found in (fields.at_integration_points, fields.bone):
        np.testing.assert_allclose(found.strain, np.broadcast_to(strain, found.strain.shape), atol=1e-13)
        matrices = tensor(found.stress, engineering_shears=False)
        np.testing.assert_allclose(matrices, np.broadcast_to(stress, matrices.shape), atol=1e-10)
    np.testing.assert_allclose(fields.at(points, "displacement"), points @ GRADIENT.T + [1.0, 2.0, 3.0], atol=1e-13)
    np.testing.assert_allclose(fields.at(points, "strain"), np.broadcast_to(strain, (len(points), 6)), atol=1e-13)
    lowest, _, highest = np.linalg.eigvalsh(stress)
    deviator = stress - np.trace(stress) / 3 * np.eye(3)
    for name, value in {
        "max_principal": highest, "min_principal": lowest, "von_mises": np.sqrt(1.5 * (deviator**2).sum()),
        "max_principal_strain": np.linalg.eigvalsh(0.5 * (GRADIENT + GRADIENT.T))[2],
        "min_principal_strain": np.linalg.eigvalsh(0.5 * (GRADIENT + GRADIENT.T))[0],
    }.items():  # fmt: skip
        # Displacements of 3 mm leave a strain of 1e-3 twelve digits.
        np.testing.assert_allclose(fields[name], value, rtol=1e-9)
        np.testing.assert_allclose(fields.at(points, name), value, rtol=1e-9)


def test_quadratic_displacement_is_exact_at_any_point():
    """Its strain is linear in a tet: a mean of the tet would miss it."""
    space = Space(box((3, 2, 3), SIZE, 0.2), 2)
    second = np.random.default_rng(5).uniform(-1e-4, 1e-4, (3, 3, 3))

    def field(x):
        return np.einsum("ijk,nj,nk->ni", second, x, x)

    def gradient(x):
        return np.einsum("ijk,nk->nij", second + np.swapaxes(second, 1, 2), x)

    fields, points = state(space, field(space.nodes)), inside(space.mesh)
    np.testing.assert_allclose(fields.at(points, "displacement"), field(points), atol=1e-15)
    np.testing.assert_allclose(fields.at(points, "strain"), voigt(gradient(points)), atol=1e-14)
    np.testing.assert_allclose(tensor(fields.at(points, "stress"), engineering_shears=False), hooke(gradient(points)),
                               atol=1e-11)  # fmt: skip
    where, _ = space.integration()
    flat = where.reshape(-1, 3)
    np.testing.assert_allclose(fields.at_integration_points.strain.reshape(-1, 6), voigt(gradient(flat)), atol=1e-14)
    # A linear strain has its mean at the centroid.
    np.testing.assert_allclose(fields.bone.strain, voigt(gradient(space.mesh.centroids)), atol=1e-14)


def test_tensor_is_symmetric_and_halves_engineering_shears():
    components = np.random.default_rng(6).uniform(-1, 1, (4, 6))
    strain, stress = tensor(components, engineering_shears=True), tensor(components, engineering_shears=False)
    for matrices, factor in ((strain, 0.5), (stress, 1.0)):
        assert np.array_equal(matrices, np.swapaxes(matrices, -1, -2))
        assert np.array_equal(np.einsum("nii->ni", matrices), components[:, :3])
        assert np.array_equal(matrices[:, [1, 0, 0], [2, 2, 1]], factor * components[:, 3:])


def test_uniaxial_stress_and_pure_shear():
    bar = bone_fields(np.array([[-NU, -NU, 1.0, 0.0, 0.0, 0.0]]) * 1e-3, np.array([E]), np.array([NU]))
    np.testing.assert_allclose(bar.stress[0], [0, 0, 1e-3 * E, 0, 0, 0], atol=1e-15)
    np.testing.assert_allclose((bar.von_mises[0], bar.max_principal[0]), 1e-3 * E, rtol=1e-12)
    shear = bone_fields(np.array([[0.0, 0.0, 0.0, 0.0, 0.0, 1e-3]]), np.array([E]), np.array([NU]))
    tau = 1e-3 * E / (2 * (1 + NU))
    np.testing.assert_allclose(shear.von_mises[0], np.sqrt(3) * tau, rtol=1e-12)
    np.testing.assert_allclose(shear.principal_stress[0], [-tau, 0.0, tau], atol=1e-12 * tau)


def test_invariants_are_formed_at_points_and_then_averaged():
    space = Space(box((2, 2, 2), SIZE), 2)
    rng = np.random.default_rng(7)
    u = 1e-3 * rng.normal(size=(space.n_nodes, 3))
    youngs, poisson = rng.uniform(10, 1000, len(space.mesh.tets)), uniform(space, NU)
    points, means = (f(space, u, youngs, poisson) for f in (integration_point_fields, tet_fields))
    _, volumes = space.integration()
    share = volumes / volumes.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(means.von_mises, (points.von_mises * share).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(means.stress, np.einsum("mq,mqv->mv", share, points.stress), rtol=1e-9, atol=1e-12)
    of_mean = bone_fields(means.strain, youngs, poisson)
    assert (means.von_mises > of_mean.von_mises).all()
    assert (means.max_principal > of_mean.max_principal).all()


# ------------------------------------------------------------------ points
def test_outside_is_nan_beyond_the_tolerance():
    space = Space(box((3, 2, 3), SIZE, 0.2), 2)
    mesh = space.mesh
    fields = state(space, space.nodes @ GRADIENT.T)
    middles = mesh.points[mesh.faces].mean(axis=1)
    near, far = (middles + factor * TOLERANCE_MM * mesh.face_normals for factor in (0.9, 1.1))
    np.testing.assert_allclose(fields.at(near, "displacement"), near @ GRADIENT.T, atol=1e-14)
    for name in ("displacement", "stress", "von_mises", "modulus"):
        assert np.isnan(fields.at(far, name)).all()
        assert np.isfinite(fields.at(mesh.points, name)).all()
    mixed = np.array([[1.0, 1.0, 1.0], [np.nan, 1.0, 1.0], [1.0, np.inf, 1.0], [-5.0, 1.0, 1.0]])
    assert np.isnan(fields.at(mixed, "von_mises")).tolist() == [False, True, True, True]
    assert np.isnan(fields.at(mixed[1:], "stress")).all()


def test_answers_have_the_shape_of_the_question():
    space = Space(box((2, 2, 2), SIZE), 2)
    fields = state(space, space.nodes @ GRADIENT.T, density=np.arange(len(space.mesh.tets)))
    assert fields.at([1.0, 1.0, 1.0], "von_mises").shape == ()
    assert fields.at(np.ones((4, 5, 3)), "stress").shape == (4, 5, 6)
    assert fields.at(np.empty((0, 3)), "displacement").shape == (0, 3)
    assert np.array_equal(fields.at(space.mesh.centroids, "density"), np.arange(len(space.mesh.tets)))


@pytest.mark.parametrize(
    ("points", "name", "message"),
    [
        ([[1.0, 1.0, 1.0]], "mises", "name = 'mises': no such field; use one of displacement, strain, stress"),
        ([[1.0, 1.0, 1.0]], "density", "name = 'density': is missing: it was not given; use one of displacement"),
        ([[1.0, 1.0, 1.0]], "opening", "name = 'opening': is not defined inside the bone; use one of displacement"),
        ([[1.0, 1.0]], "stress", "points = 'shape .1, 2.': are no points; give"),
        (1.0, "stress", "are no points"),
    ],
)
def test_what_cannot_be_answered_is_refused(points, name, message):
    space = Space(split_box((2, 2, 2), SIZE, 4.0), 1)
    with pytest.raises(InputError, match=message):
        state(space, np.zeros((space.n_nodes, 3))).at(points, name)


# ------------------------------------------------------------------ gap
def test_parts_of_a_jump():
    space = Space(split_box((2, 2, 4), SIZE, 4.0, 0.2), 2)
    above = np.zeros(space.n_nodes, bool)
    above[space.connectivity[space.mesh.centroids[:, 2] > 4.0]] = True
    x = space.nodes[:, 0]
    zero = 0 * x
    jump = np.column_stack([3e-3 + zero, 4e-3 + zero, 1e-3 * (x - 2.0)])
    k = np.random.default_rng(4).uniform(1.0, 2.0, space.gap.areas.shape)
    gap = gap_fields(space, above[:, None] * jump, stiffness=GapStiffness(k, 0.25 * k))
    px = gap.points.points[..., 0]
    np.testing.assert_allclose(
        gap.points.normals, np.broadcast_to([0.0, 0.0, 1.0], gap.points.normals.shape), atol=1e-12
    )
    np.testing.assert_allclose(gap.jump[..., 2], 1e-3 * (px - 2.0), atol=1e-16)
    np.testing.assert_allclose(gap.opening, np.maximum(1e-3 * (px - 2.0), 0.0), atol=1e-16)
    np.testing.assert_allclose(gap.closing, np.maximum(1e-3 * (2.0 - px), 0.0), atol=1e-16)
    np.testing.assert_allclose(gap.slip, 5e-3, rtol=1e-12)
    np.testing.assert_allclose(gap.micromotion, np.hypot(5e-3, 1e-3 * (px - 2.0)), rtol=1e-12)
    np.testing.assert_allclose(gap.traction, k[..., None] * gap.jump * [0.25, 0.25, 1.0], atol=1e-16)
    # The mean of what is linear over a face stands at its middle.
    middle = space.mesh.points[space.mesh.faces[space.mesh.paired[0]]].mean(axis=1)
    np.testing.assert_allclose(gap.mean("jump")[:, 2], 1e-3 * (middle[:, 0] - 2.0), atol=1e-16)
    assert gap.coverage.shape == gap.points.areas.shape


def blocks(order):
    return Space(split_box((2, 2, 4), SIZE, 4.0, 0.2), order)


@pytest.mark.parametrize("order", [1, 2])
def test_traction_passes_the_load_through_a_bonded_gap(order):
    space, load = blocks(order), np.array([0.3, -0.2, 0.7])
    force = traction_force(space, faces_at(space.mesh, 2, SIZE[2]), lambda x, n: load[:, None, None] + 0 * x)
    stiff = gap_of(space, 5.0)
    u = system(space, E, NU, held(space, (at(space, 2, 0.0), [0, 1, 2])), gap=stiff).solve(force).displacement
    gap = gap_fields(space, u, stiffness=stiff)
    np.testing.assert_allclose(np.einsum("pqx,pq->x", gap.traction, gap.points.areas), 30.0 * load, rtol=1e-7)


def test_traction_passes_the_load_through_contact_filler_and_cement():
    """Two layers of contact at the same points, and a filler that is bonded."""
    space = blocks(2)
    coverage = np.broadcast_to((space.gap.points[..., 0] < 3.0).astype(float), space.gap.areas.shape)
    load = np.array([0.1, 0.0, -1.0])
    force = traction_force(space, faces_at(space.mesh, 2, SIZE[2]), lambda x, n: load[:, None, None] + 0 * x)
    stiff = gap_of(space, 2.0)
    contact = joined([
        face_closure(space, bone_of(space, E, NU), coverage, 0.05, stiff, 0.2),
        cement_contact(space, bone_of(space, E, NU), coverage, 0.5, Filler(50.0, 0.3), 0.2),
    ])  # fmt: skip
    coarse = Space(space.mesh, 1)
    found, touching = solve_contact(
        space, stiffness(space, E, NU, gap=stiff), held(space, (at(space, 2, 0.0), [0, 1, 2])), contact, force,
        coarse=lambda: stiffness(coarse, E, NU, gap=gap_of(coarse, 2.0)),
        settings=SolverSettings(tolerance=1e-11), accuracy=1e-4, steps=1,
    )  # fmt: skip
    assert touching.pressure.shape[1] == 2 * space.gap.areas.shape[1]
    assert touching.closed_mm2 > 0.0
    assert touching.cement_closed_mm2 > 0.0
    gap = gap_fields(space, found.displacement, stiffness=stiff, contact=touching, coverage=coverage)
    np.testing.assert_allclose(np.einsum("pqx,pq->x", gap.traction, gap.points.areas), 30.0 * load, atol=1e-6)
    without = gap_fields(space, found.displacement, stiffness=stiff)
    assert abs(np.einsum("pqx,pq->x", without.traction, gap.points.areas)[2]) < 0.9 * 30.0


# ------------------------------------------------------------------ names
def test_a_state_has_the_fields_that_exist():
    whole = Space(box((2, 2, 2), SIZE), 1)
    of_gap = {name for name, field in FIELDS.items() if field.place == "gap"}
    assert not of_gap & set(state(whole, np.zeros((whole.n_nodes, 3))).names)
    space = blocks(1)
    tied = state(space, np.zeros((space.n_nodes, 3)), cortex_thickness=np.ones(len(space.mesh.faces)))
    assert of_gap - set(tied.names) == {"traction"}
    with pytest.raises(InputError, match="the faces of the fracture are tied"):
        tied["traction"]
    m, q = len(space.mesh.tets), space.gap.areas.shape
    full = state(
        space, np.zeros((space.n_nodes, 3)), density=np.ones(m), cement_fraction=np.zeros(m),
        gap_stiffness=gap_of(space, 1.0), coverage=np.zeros(q), cortex_thickness=np.ones(len(space.mesh.faces)),
    )  # fmt: skip
    assert full.names == tuple(FIELDS)
    leading = {"node": (space.n_nodes,), "tet": (m,), "face": (len(space.mesh.faces),), "gap": q}
    for name, field in FIELDS.items():
        assert full[name].shape == (*leading[field.place], *((field.components,) if field.components > 1 else ()))


def test_what_is_computed_is_kept_but_does_not_travel():
    space = blocks(1)
    fields = state(space, np.zeros((space.n_nodes, 3)))
    assert fields["stress"] is fields["stress"]
    assert "bone" in vars(fields)
    assert set(vars(copy.copy(fields))) == {field for field in StateFields.__dataclass_fields__}
