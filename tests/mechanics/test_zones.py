from dataclasses import replace

import numpy as np
import pytest
from blocks_of_tets import box, split_box
from named_box import landmarks, whole_box
from zoning import build_zones

from sacrofem.mechanics.measures.zones import (
    ReferencePlan,
    fracture_pairs,
    front_edges,
    line_edges,
    membrane_points,
    sampled_edges,
    sampled_triangles,
    support_faces,
)
from sacrofem.mechanics.parts.cortex import membrane_stresses
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.split import inner_faces, split

NONE = np.empty(0, dtype=int)


def cut_box(counts=(4, 4, 6), size=(20.0, 20.0, 30.0), plane=15.0, extent=None, name="zone1_left"):
    """A box opened on the plane z = ``plane``, where x < ``extent``."""
    mesh = box(counts, size)
    faces, tets = inner_faces(mesh)
    here = np.isclose(mesh.points[faces][:, :, 2], plane).all(axis=1)
    if extent is not None:
        here &= (mesh.points[faces][:, :, 0] <= extent + 1e-9).all(axis=1)
    faces, tets = faces[here], tets[here]
    normal = np.cross(
        mesh.points[faces[:, 1]] - mesh.points[faces[:, 0]], mesh.points[faces[:, 2]] - mesh.points[faces[:, 0]]
    )
    faces = np.where((normal[:, 2] > 0)[:, None], faces, faces[:, ::-1])
    return split(mesh.with_sets(face_sets={"outer": np.ones(len(mesh.faces), dtype=bool)}), {name: faces})


def points_of(space, zone):
    return space.integration()[0].reshape(-1, 3)[zone.index]


def test_fracture_zone_is_the_bone_within_5_mm():
    space = Space(cut_box(), 2)
    zone = build_zones(space, supports=NONE).volume["fracture"]
    z = space.integration()[0].reshape(-1, 3)[:, 2]
    height = np.abs(z - 15.0)
    inside = np.zeros(len(z), dtype=bool)
    inside[zone.index] = True
    assert inside[height < 4.98].all()
    assert not inside[height > 5.0].any()
    np.testing.assert_allclose(zone.weight, space.integration()[1].ravel()[zone.index])


def test_supports_are_left_out_of_every_zone():
    mesh = cut_box()
    space = Space(mesh, 2)
    side = np.flatnonzero(mesh.face_normals[:, 0] > 0.9)
    zones = build_zones(space, supports=side)
    for name in ("fracture", "fracture:zone1_left"):
        distance = 20.0 - points_of(space, zones.volume[name])[:, 0]
        assert distance.min() > 2.95
    assert (20.0 - points_of(space, zones.volume["cancellous"])[:, 0]).min() > 4.95


def test_through_fracture_has_a_line_and_no_front():
    mesh = cut_box()
    assert len(front_edges(mesh)) == 0
    zones = build_zones(Space(mesh, 1), supports=NONE)
    assert zones.volume["front"].reason == "the fracture has no front"
    ends = mesh.points[line_edges(mesh)]
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).sum()
    assert length == pytest.approx(2 * 4 * 20.0)


def test_front_of_a_partial_fracture_is_where_the_twins_join():
    mesh = cut_box(extent=10.0)
    ends = mesh.points[front_edges(mesh)]
    np.testing.assert_allclose(ends[:, :, 0], 10.0)
    assert np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).sum() == pytest.approx(20.0)
    line = mesh.points[line_edges(mesh)]
    assert np.linalg.norm(line[:, 1] - line[:, 0], axis=1).sum() == pytest.approx(2 * (20.0 + 10.0 + 10.0))
    space = Space(mesh, 2)
    where = points_of(space, build_zones(space, supports=NONE).volume["front"])
    distance = np.hypot(where[:, 0] - 10.0, where[:, 2] - 15.0)
    assert 4.0 < distance.max() <= 5.0


def test_embedded_fracture_does_not_reach_the_surface():
    mesh = box((6, 6, 6), (30.0, 30.0, 30.0))
    faces, _ = inner_faces(mesh)
    p = mesh.points[faces]
    here = np.isclose(p[:, :, 2], 15.0).all(axis=1) & (np.abs(p[:, :, :2] - 15.0) < 10.1).all(axis=(1, 2))
    zones = build_zones(Space(split(mesh, {"disc": faces[here]}), 1), supports=NONE)
    assert zones.cortex["fracture"].reason == "the fracture does not reach the surface"
    assert not zones.volume["front"].reason


def test_layers_lie_on_their_own_side_5_to_10_mm_away():
    space = Space(cut_box(), 2)
    layers = build_zones(space, supports=NONE).layers["zone1_left"]
    for zone, sign in ((layers.plus, 1.0), (layers.minus, -1.0)):
        height = sign * (points_of(space, zone)[:, 2] - 15.0)
        assert 5.0 <= height.min() < 6.0
        assert 9.0 < height.max() <= 10.0
    assert len(layers.pairs) == 32


def test_cortex_zone_follows_the_fracture_line():
    space = Space(cut_box(), 2)
    zone = build_zones(space, supports=NONE).cortex["fracture"]
    points = membrane_points(space, zone.faces)
    _, areas = membrane_stresses(space, zone.faces, np.zeros((space.n_nodes, 3)), np.ones(len(zone.faces)))
    assert zone.inside.shape == areas.shape == points.shape[:2]
    assert np.abs(points[zone.inside][:, 2] - 15.0).max() <= 5.0
    assert not (space.mesh.pair_side[zone.faces] != 0).any()
    # four strips of 20 x 10 mm, known to the width of a face's points
    assert areas[zone.inside].sum() == pytest.approx(800.0, rel=0.2)


def test_faces_without_cortex_are_left_out():
    mesh = cut_box()
    none = build_zones(Space(mesh, 1), supports=NONE, cortex=np.zeros(len(mesh.faces), dtype=bool))
    assert none.cortex["fracture"].reason == "there is no cortex"


def test_zones_of_an_unbroken_mesh_say_so():
    zones = build_zones(Space(box(), 1), supports=NONE)
    assert zones.volume["fracture"].reason == "no fracture"
    assert zones.cortex["fracture"].reason == "no fracture"
    assert zones.volume["lesion"].reason == "no lesion"
    assert zones.volume["pericement_both"].reason == "no cement in the reference plan"
    assert zones.volume["contralateral"].reason == "no landmarks"


def test_weights_are_what_cement_leaves_and_above_half_nothing_is():
    mesh = cut_box()
    space = Space(mesh, 2)
    upper = mesh.centroids[:, 2] > 15.0
    part = build_zones(space, plan=ReferencePlan(np.where(upper, 0.6, 0.0), 1.0), supports=NONE).volume["fracture"]
    assert part.left_out == pytest.approx(0.3, abs=0.01)
    assert not part.reason
    most = build_zones(space, plan=ReferencePlan(np.where(upper, 0.9, 0.3), 1.0), supports=NONE).volume["fracture"]
    assert most.left_out == pytest.approx(0.6, abs=0.01)
    assert most.reason == "cement takes 60% of the zone"


def test_pericement_zones_are_cement_and_its_neighbourhood():
    mesh = box((8, 8, 8), (40.0, 40.0, 40.0))
    space = Space(mesh, 1)
    cement = (np.abs(mesh.centroids - 20.0) < 5.0).all(axis=1)
    volume_ml = 4.0 / 3.0 * np.pi * 8.0**3 / 1000.0
    zones = build_zones(space, plan=ReferencePlan(cement.astype(float), volume_ml), supports=NONE).volume
    inside, shell, both = (zones[f"pericement_{name}"] for name in ("inside", "shell", "both"))
    assert inside.index.tolist() == np.flatnonzero(cement).tolist()
    assert inside.weight.sum() == pytest.approx(1000.0)
    assert sorted([*inside.index, *shell.index]) == both.index.tolist()
    outside = np.linalg.norm(np.maximum(np.abs(mesh.centroids - 20.0) - 5.0, 0.0), axis=1)
    expected = ~cement & (outside <= 8.0)
    assert shell.index.tolist() == np.flatnonzero(expected).tolist()


def test_thin_cement_has_no_inside():
    mesh = box()
    zones = build_zones(Space(mesh, 1), plan=ReferencePlan(np.full(len(mesh.tets), 0.2), 0.1), supports=NONE)
    assert zones.volume["pericement_inside"].reason == "no element is half full of cement"


def test_lesion_zone_is_near_its_border():
    space = Space(box((8, 8, 8), (40.0, 40.0, 40.0)), 2)
    zone = build_zones(space, lesion_distance=lambda p: np.linalg.norm(p - 20.0, axis=1) - 8.0, supports=NONE).volume[
        "lesion"
    ]
    radius = np.linalg.norm(points_of(space, zone) - 20.0, axis=1)
    assert 3.0 <= radius.min() < 5.0
    assert 12.0 < radius.max() <= 13.0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_contralateral_zone_is_lateral_on_the_untreated_side(sign):
    mesh = whole_box((6, 4, 6))
    space = Space(mesh, 1)
    left = sign * mesh.centroids[:, 0] > 10.0
    zone = build_zones(space, plan=ReferencePlan(left.astype(float), 1.0), landmarks=landmarks()).volume[
        "contralateral"
    ]
    where = points_of(space, zone)
    assert len(where) > 0
    assert (sign * where[:, 0] < -12.0).all()
    assert where[:, 2].min() > -20.0


def test_contralateral_zone_needs_one_untreated_side():
    mesh = whole_box((6, 4, 6))
    space = Space(mesh, 1)
    both = (np.abs(mesh.centroids[:, 0]) > 10.0).astype(float)
    zones = build_zones(space, plan=ReferencePlan(both, 1.0), landmarks=landmarks())
    assert zones.volume["contralateral"].reason == "both sides are treated"
    zones = build_zones(space, landmarks=landmarks())
    assert zones.volume["contralateral"].reason == "neither side is treated"


def test_supports_are_found_by_name():
    mesh = whole_box()
    named_faces = mesh.face_sets["endplate"] | mesh.face_sets["auricular_left"] | mesh.face_sets["auricular_right"]
    np.testing.assert_array_equal(support_faces(mesh), np.flatnonzero(named_faces))
    assert len(support_faces(box())) == 0


def test_zones_of_a_mirrored_mesh_are_mirrored():
    mesh = cut_box(extent=10.0)
    zones = build_zones(Space(mesh, 2), supports=NONE)
    mirror = build_zones(Space(mesh.mirrored(), 2), supports=NONE)
    for name, zone in zones.volume.items():
        twin = mirror.volume[name.replace("left", "right")]
        assert twin.weight.sum() == pytest.approx(zone.weight.sum(), rel=1e-12), name
    ours, theirs = zones.layers["zone1_left"], mirror.layers["zone1_right"]
    for side in ("plus", "minus"):
        np.testing.assert_allclose(getattr(ours, side).weight.sum(), getattr(theirs, side).weight.sum(), rtol=1e-12)


def test_sides_do_not_depend_on_the_numbering():
    """On a bent fracture the nearest points lie on edges, which faces of different slope share."""
    mesh = cut_box()
    points = mesh.points.copy()
    points[:, 2] += 0.4 * np.abs(points[:, 0] - 10.0)
    bent = replace(mesh, points=points)
    order = np.random.default_rng(0).permutation(len(bent.faces))
    shuffled = replace(
        bent,
        faces=bent.faces[order],
        pair=bent.pair[order],
        pair_side=bent.pair_side[order],
        face_sets={name: members[order] for name, members in bent.face_sets.items()},
    )
    for side in ("plus", "minus"):
        a, b = (
            getattr(build_zones(Space(m, 2), supports=NONE).layers["zone1_left"], side).index for m in (bent, shuffled)
        )
        np.testing.assert_array_equal(a, b)


def test_pairs_without_a_name_are_a_fracture_too():
    mesh = split_box((2, 2, 2), (10.0, 10.0, 10.0), 5.0)
    mesh = replace(mesh, face_sets={"outer": mesh.pair_side == 0})
    assert {name: int(pairs.sum()) for name, pairs in fracture_pairs(mesh).items()} == {"unnamed": 8}
    assert list(fracture_pairs(cut_box())) == ["zone1_left"]


def test_samples_are_as_dense_as_promised():
    rng = np.random.default_rng(1)
    corners = rng.uniform(-4, 4, (5, 3, 3))
    samples, owner = sampled_triangles(corners, 0.5)
    weights = rng.dirichlet(np.ones(3), 200)
    for number, triangle in enumerate(corners):
        mine = samples[owner == number]
        gap = np.linalg.norm((weights @ triangle)[:, None] - mine, axis=2).min(axis=1).max()
        assert gap <= 0.5 / np.sqrt(3) + 1e-12
        for corner in triangle:
            assert np.linalg.norm(mine - corner, axis=1).min() < 1e-12
    points = sampled_edges(np.array([[[0.0, 0, 0], [3.0, 0, 0]]]), 0.5)
    np.testing.assert_allclose(np.sort(points[:, 0]), np.linspace(0, 3, 7))
