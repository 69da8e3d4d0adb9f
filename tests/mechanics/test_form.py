"""Parts that a user writes in forms of scikit-fem, added to a model."""

from dataclasses import replace

import numpy as np
import pytest
from blocks_of_tets import box, renumbered, split_box
from elasticity import at, bone_of, faces_at, gap_of, held, traction_force
from skfem import BilinearForm, LinearForm
from skfem.helpers import dot, sym_grad, trace

from sacrofem.errors import InputError
from sacrofem.mechanics.equilibrium.statics import Statics
from sacrofem.mechanics.forms import part_stiffness
from sacrofem.mechanics.linear.settings import SolverSettings
from sacrofem.mechanics.parts.form import FormPart
from sacrofem.mechanics.parts.fragments import check_held
from sacrofem.mechanics.parts.held import HeldNodes
from sacrofem.mechanics.parts.joint import ElasticLayer
from sacrofem.mechanics.parts.loads import NodalForces
from sacrofem.mechanics.parts.stiffness import Assembler
from sacrofem.mechanics.space.space import Space

SIZE, CUT = (6.0, 5.0, 8.0), 4.0
NORMAL, TANGENT = 9.0, 2.0


@BilinearForm
def bed(u, v, w):
    along = dot(u, w.n) * dot(v, w.n)
    return NORMAL * along + TANGENT * (dot(u, v) - along)


BED = FormPart("bed", bed, faces="outer")


def parts(order):
    """A fractured block with uneven bone, pulled above, clamped nowhere."""
    mesh = renumbered(split_box((3, 3, 4), SIZE, CUT, 0.25))
    space = Space(mesh, order)
    bone = bone_of(space, np.exp(5.0 + np.sin(3.0 * mesh.centroids).sum(axis=1)))
    force = traction_force(space, faces_at(mesh, 2, SIZE[2]), lambda x, n: np.array([0.3, -0.1, 0.8])[:, None, None])
    return space, bone, NodalForces(force)


def layered(space):
    """The same bed as an elastic layer of the package."""
    faces = np.flatnonzero(space.mesh.face_sets["outer"])
    ones = np.ones(len(faces))
    return ElasticLayer(faces, NORMAL * ones, TANGENT * ones)


@pytest.mark.parametrize("assembly", ["gather", "scikit-fem"])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", ["intact", "before"])
def test_a_bed_in_a_form_is_the_layer_of_the_package(name, order, assembly):
    """In the bone with its twin faces tied too, where faces and nodes have other numbers."""
    space, bone, load = parts(order)
    settings = SolverSettings(method="direct", tolerance=1e-12, assembly=assembly)
    gap = gap_of(space, 7.0, 3.0) if name == "before" else None
    own = Statics(space, [load, BED], settings).solve(name, bone, gap)
    expected = Statics(space, [load, layered(space)], replace(settings, assembly="gather")).solve(name, bone, gap)
    u = expected.state.displacement
    np.testing.assert_allclose(own.state.displacement, u, rtol=0, atol=1e-10 * np.abs(u).max())
    joint = expected.reactions.force
    np.testing.assert_allclose(own.reactions.forces["bed"], joint, rtol=0, atol=1e-9 * np.abs(joint).max())
    turning = expected.reactions.moment
    np.testing.assert_allclose(own.reactions.moments["bed"], turning, rtol=0, atol=1e-9 * np.abs(turning).max())
    assert own.checks["force"] < 1e-9
    assert own.checks["moment"] < 1e-9
    # Nodes of the fracture stand on the bed: what it puts on them is not lost.
    assert own.checks["fracture"] < 1e-9
    assert own.reactions.shares(load.forces.sum(axis=0)) == {"left": 0.0, "right": 0.0, "ligaments": 0.0}


@pytest.mark.parametrize("order", [1, 2])
def test_a_column_on_a_bed_sinks_by_the_closed_form(order):
    """Pressure p on a column of height H with free sides and ν = 0: p (H / E + 1 / k) on top."""
    mesh = box((2, 2, 3), SIZE, 0.2)
    faces = np.arange(len(mesh.faces))
    ends = {"base": faces_at(mesh, 2, 0.0), "top": faces_at(mesh, 2, SIZE[2])}
    space = Space(mesh.with_sets(face_sets={name: np.isin(faces, end) for name, end in ends.items()}), order)
    press = FormPart("press", linear=LinearForm(lambda v, w: -0.7 * v[2]), faces="top")
    rollers = HeldNodes(held(space, (at(space, 0, 0.0), [0]), (at(space, 1, 0.0), [1])))
    base = replace(BED, faces="base")
    solved = Statics(space, [rollers, base, press]).solve("before", bone_of(space, 300.0, 0.0), None)
    sunk = solved.state.displacement[at(space, 2, SIZE[2]), 2]
    np.testing.assert_allclose(sunk, -0.7 * (SIZE[2] / 300.0 + 1.0 / NORMAL), rtol=1e-9)
    np.testing.assert_allclose(solved.reactions.forces["bed"], [0.0, 0.0, 0.7 * 30.0], atol=1e-7)


@pytest.mark.parametrize("order", [1, 2])
def test_fields_are_read_tet_by_tet(order):
    """Bone written as a form of its own over all tets, with moduli as fields, is the bone of the package."""
    space, bone, _ = parts(order)
    lam = bone.youngs * bone.poisson / ((1 + bone.poisson) * (1 - 2 * bone.poisson))
    mu = bone.youngs / (2 * (1 + bone.poisson))

    @BilinearForm
    def elastic(u, v, w):
        a, b = sym_grad(u), sym_grad(v)
        return w.lam * trace(a) * trace(b) + 2 * w.mu * np.einsum("ij...,ij...", a, b)

    part = FormPart("bone", elastic, fields={"lam": lam, "mu": mu}, intorder=2)
    ours, theirs = Assembler(space).matrix(bone).to_scipy(), part_stiffness(space, part)
    assert abs(ours - theirs).max() < 1e-12 * abs(ours).max()


def test_a_face_reads_the_field_of_its_tet():
    space, bone, _ = parts(1)
    part = FormPart("p", linear=LinearForm(lambda v, w: w.k * v[0]), faces="outer", fields={"k": bone.youngs})
    faces = np.flatnonzero(space.mesh.face_sets["outer"])
    expected = bone.youngs[space.mesh.face_owners[faces]] @ space.mesh.face_areas[faces]
    np.testing.assert_allclose(part.force(space).sum(axis=0), [expected, 0.0, 0.0], rtol=1e-12)


def test_a_bed_holds_what_floats():
    space, *_ = parts(2)
    with pytest.raises(InputError, match="floats"):
        check_held(space, [gap_of(space, 0.0)])
    check_held(space, [gap_of(space, 0.0), BED])
    slides = replace(BED, bilinear=BilinearForm(lambda u, v, w: dot(u, w.n) * dot(v, w.n) * (w.x[2] < CUT)))
    with pytest.raises(InputError, match=r"a piece of .* floats: 6 of its motions"):
        check_held(space, [gap_of(space, 0.0), slides])


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (replace(BED, faces="outre"), r"forms\.bed\.faces = 'outre'.*give one of fracture_plane, outer"),
        (replace(BED, fields={"k": np.ones(3)}), r"forms\.bed\.fields\.k.*shape \(3,\)"),
        (replace(BED, bilinear=BilinearForm(lambda u, v, w: u[0] * v[1])), "not symmetric"),
        (replace(BED, bilinear=BilinearForm(lambda u, v, w: np.nan * u[0] * v[0])), "not finite"),
        (replace(BED, bilinear=None, linear=LinearForm(lambda v, w: v[0] + np.inf)), "not finite"),
    ],
)
def test_what_is_no_part_is_refused(part, words):
    space, bone, _ = parts(1)
    with pytest.raises(InputError, match=words):
        Statics(space, [part]).solve("before", bone, None)


def test_pressure_on_the_faces_of_the_fracture_is_nothing_where_they_are_tied():
    """Pressure of 0.02 MPa in the gap pushes its faces apart; unbroken bone knows none."""
    space, bone, load = parts(1)
    inside = FormPart("fluid", linear=LinearForm(lambda v, w: -0.02 * dot(w.n, v)), faces="fracture_plane")
    statics = Statics(space, [load, layered(space), inside])
    without = Statics(space, [load, layered(space)])
    gap = gap_of(space, 7.0, 3.0)
    pushed, idle = (s.solve("before", bone, gap).state.displacement for s in (statics, without))
    assert (space.gap.normal_part(space.jump(pushed - idle)) > 0.0).all()
    pushed, idle = (s.solve("intact", bone, None).state.displacement for s in (statics, without))
    np.testing.assert_allclose(pushed, idle, rtol=0, atol=1e-9 * np.abs(idle).max())
    with pytest.raises(InputError, match="no such faces"):
        Statics(space, [load, layered(space), replace(inside, faces="fracture")])
