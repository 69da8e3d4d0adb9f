import numpy as np
import pytest
from blocks_of_tets import box
from named_box import half_box, landmarks, named, whole_box

from sacrofem.errors import InputError
from sacrofem.mechanics.parts.loads import (
    LOADS,
    Resultant,
    endplate_faces,
    face_centroid,
    load,
    load_direction,
    load_resultant,
    load_vector,
)
from sacrofem.mechanics.space.space import Space


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("point", [(0.0, 0.0, 0.0), (31.0, -7.0, 12.0)])
def test_force_and_moment_of_the_nodal_forces_equal_the_resultant(order, point):
    space = Space(whole_box(), order)
    wanted = Resultant(np.array([31.0, -240.0, -700.0]), np.array(point), np.array([5e3, -2e3, 900.0]))
    nodal = load_vector(space, endplate_faces(space), wanted)
    np.testing.assert_allclose(nodal.sum(axis=0), wanted.force, rtol=1e-13, atol=1e-11)
    moment = np.cross(space.nodes - wanted.point, nodal).sum(axis=0)
    np.testing.assert_allclose(moment, wanted.moment, atol=1e-12 * 700 * 60)
    on_top = np.unique(space.face_nodes[endplate_faces(space)])
    assert np.flatnonzero(nodal.any(axis=1)).tolist() == on_top.tolist()


def test_central_force_is_a_constant_traction():
    space = Space(box((2, 2, 1), (4.0, 6.0, 1.0)), 1)
    top = np.flatnonzero(space.mesh.face_normals[:, 2] > 0.9)
    force = np.array([0.0, 0.0, -24.0])
    nodal = load_vector(space, top, Resultant(force, face_centroid(space, top), np.zeros(3)))
    expected = np.zeros(space.n_nodes)
    np.add.at(expected, space.mesh.faces[top], np.repeat(-space.mesh.face_areas[top][:, None] / 3.0, 3, axis=1))
    np.testing.assert_allclose(nodal[:, 2], expected, atol=1e-13)
    np.testing.assert_allclose(nodal[:, :2], 0.0, atol=1e-13)


def test_force_turned_by_the_slope_is_vertical():
    for slope in (25.0, 40.0, 55.0):
        bone = landmarks(slope)
        resultant = load_resultant(bone, load("standing"), slope_deg=slope)
        np.testing.assert_allclose(resultant.force, [0.0, 0.0, -700.0], rtol=0, atol=1e-12)


def test_slope_turns_the_force_anteriorly_along_the_endplate():
    normal = landmarks(40.0).endplate_normal
    anterior = np.array([0.0, -np.cos(np.radians(40)), -np.sin(np.radians(40))])
    for angle in (0.0, 15.0, 60.0):
        d = load_direction(normal, angle)
        assert -d @ normal == pytest.approx(np.cos(np.radians(angle)))
        assert d @ anterior == pytest.approx(np.sin(np.radians(angle)))


def test_muscle_load_ignores_the_slope_and_lies_within_15_degrees_of_the_normal():
    bone = landmarks(40.0)
    directions = [load_resultant(bone, load("standing-muscle"), slope_deg=s).direction for s in (30.0, 50.0)]
    np.testing.assert_array_equal(*directions)
    assert -directions[0] @ bone.endplate_normal == pytest.approx(np.cos(np.radians(15.0)))


def test_point_moment_and_force_can_be_replaced():
    own = load("free", force_n=100.0, angle_deg=0.0, point_mm=(1.0, 2.0, 3.0), moment_nmm=(0.0, 50.0, 0.0))
    resultant = load_resultant(landmarks(), own)
    np.testing.assert_allclose(resultant.force, [0.0, 0.0, -100.0], atol=1e-14)
    assert resultant.point.tolist() == [1.0, 2.0, 3.0]
    assert resultant.moment.tolist() == [0.0, 50.0, 0.0]


def test_a_force_of_any_direction_is_taken_as_it_is():
    given = (120.0, -30.0, 400.0)
    resultant = load_resultant(landmarks(), load("free", vector_n=given), slope_deg=10.0)
    assert tuple(resultant.force) == given
    assert load("free", vector_n=given).force_n == resultant.magnitude
    assert load_resultant(landmarks(), load("free", moment_nmm=(1.0, 0.0, 0.0))).magnitude == 0.0


@pytest.mark.parametrize(("kind", "axis"), [("lateral-bending", 1), ("torsion", 2)])
def test_bending_aside_and_torsion_turn_to_the_left(kind, axis):
    """A positive moment about y moves the upper end to x, left; one about z the front, at -y, to the left."""
    moment = load_resultant(landmarks(), load(kind)).moment
    assert moment[axis] > 0.0
    assert np.count_nonzero(moment) == 1
    upper, front = np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])
    assert np.cross(moment, upper if kind == "lateral-bending" else front)[0] > 0.0


def test_half_endplate_is_loaded_at_its_own_centre():
    space = Space(named(half_box()), 1)
    faces = endplate_faces(space)
    centre = face_centroid(space, faces)
    resultant = load_resultant(landmarks(), load("one-legged"), centre=centre)
    np.testing.assert_allclose(resultant.point, [15.0, 0.0, 0.0], atol=1e-12)
    assert (load_vector(space, faces, resultant)[:, 2] <= 0).all()


def test_every_kind_names_its_source():
    assert set(LOADS) == {
        "standing", "standing-muscle", "walking", "sitting", "one-legged", "lateral-bending", "torsion", "free",
    }  # fmt: skip
    assert all(kind.source for kind in LOADS.values())
    assert [name for name, kind in LOADS.items() if kind.one_legged] == ["one-legged"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "jumping"}, "load.kind = 'jumping'"),
        ({"force_n": float("nan")}, "load.force_n"),
        ({"force_n": -1.0}, "load.force_n = -1.0"),
        ({"kind": "free"}, "load is zero"),
        ({"moment_nmm": (0.0, np.inf, 0.0)}, "load.moment_nmm"),
    ],
)
def test_bad_loads_are_refused(given, words):
    with pytest.raises(InputError, match=words):
        load(**given)


def test_a_force_that_misses_the_endplate_is_refused():
    with pytest.raises(InputError, match="does not press"):
        load_resultant(landmarks(), load("standing", angle_deg=95.0))


def test_missing_endplate_and_a_line_of_faces_are_refused():
    space = Space(box(), 1)
    with pytest.raises(InputError, match="no faces named endplate"):
        endplate_faces(space)
    with pytest.raises(InputError, match="no face carries"):
        load_vector(space, np.array([], dtype=int), Resultant(np.ones(3), np.zeros(3), np.zeros(3)))
