"""A real sacrum from its scanned surface to the result: meshed, fractured, cemented and compared.

The surface is no part of the project: SACROFEM_SCANS names the folder that holds it.
"""

import numpy as np
import pytest
import scans

from sacrofem import Case, InputError, compare
from sacrofem.anatomy.regions import corridor_distance
from sacrofem.mesh.make.fracture import fracture_surfaces
from sacrofem.mesh.quality import check_mesh, components, element_quality, genus
from sacrofem.specimen.importing import import_sacrum

pytestmark = pytest.mark.slow
SIDES = ("left", "right")


@pytest.fixture(scope="module")
def solid():
    return scans.visible_human()


@pytest.fixture(scope="module")
def body_and_mesh(solid):
    return scans.meshes(solid, size_mm=6.0, fracture_mm=3.5, lattice_mm=2.5)


@pytest.fixture(scope="module")
def body(body_and_mesh):
    return body_and_mesh[0]


@pytest.fixture(scope="module")
def mesh(body_and_mesh):
    return body_and_mesh[1]


@pytest.fixture(scope="module")
def comparison(mesh):
    return compare(scans.bilateral_case(), mesh=mesh, landmarks=scans.landmarks(), intact=True)


# ------------------------------------------------------------------ what is no sacrum
def test_a_stick_figure_is_refused():
    path = scans.scan_folder().parent / "bad_inputs" / "sacrum.stl"
    case = Case.preset().with_(
        **{"anatomy.kind": "surface", "anatomy.path": str(path), "anatomy.units": "m", "mesh.size_mm": 8.0}
    )
    with pytest.raises(InputError, match=r"only \d+ mm² of endplate"):
        import_sacrum(case)


# ------------------------------------------------------------------ landmarks
def test_landmarks_lie_where_they_belong(solid):
    marks = solid.landmarks
    on_surface = np.array([marks.endplate_centre, marks.promontory, *(f.centre for f in marks.auricular.values())])
    assert np.abs(solid.signed_distance(on_surface)).max() < 2.0
    assert solid.signed_distance(marks.levels).max() < -4.0
    corridors = [marks.canal, *marks.foramina.values()]
    for corridor in corridors:
        # The surface is symmetric to 1.9 mm only, and corridors are mirrored.
        assert (solid.signed_distance(corridor.points) > 0.6 * corridor.radii).all()


def test_the_auricular_face_is_what_the_hip_bone_touches(body):
    hips = scans.hip_bones()
    for side in SIDES:
        face = body.face_sets[f"auricular_{side}"]
        centres, area = body.points[body.faces[face]].mean(axis=1), body.face_areas[face]
        distance = hips.signed_distance(centres)
        # The two scans overlap by 2 mm on the average and by up to 4 mm.
        assert np.average(distance < 2.0, weights=area) > 0.99
        assert np.average(np.abs(distance), weights=area) < 2.0
        # 16.2 ± 2.5 cm² in men (CT osteoabsorptiometry [A]).
        assert 1160.0 < area.sum() < 2120.0


# ------------------------------------------------------------------ mesh
def test_mesh_is_good_and_true_to_the_surface(solid, body):
    check_mesh(body)
    quality = element_quality(body.points, body.tets)
    assert quality.min() > 0.02
    assert np.percentile(quality, 1) > 0.3
    assert body.volumes.sum() == pytest.approx(solid.surface.volume, rel=0.01)
    # Canal and the channels of S1, S2 and S3; closed surfaces: Euler characteristic = 2 - 2 genus.
    surface = solid.surface
    edges = surface.extract_all_edges().n_cells
    assert surface.n_open_edges == 0
    assert genus(body) == (2 - (surface.n_points - edges + surface.n_cells)) // 2 == 11


def test_named_faces_have_the_sizes_of_a_sacrum(body):
    area = {name: float(body.face_areas[members].sum()) for name, members in body.face_sets.items()}
    # By fitting a plane to the scan: 1220 mm²; the lateral rim runs on into the ala.
    assert 1100.0 < area["endplate"] < 1600.0
    assert area["auricular_left"] == pytest.approx(area["auricular_right"], rel=0.05)
    assert area["anterior"] > 8000.0
    assert area["posterior"] > 8000.0


# ------------------------------------------------------------------ fracture
def test_fracture_leaves_a_good_mesh_in_three_pieces(body, mesh):
    check_mesh(mesh)
    quality = element_quality(mesh.points, mesh.tets)
    assert quality.min() > 0.02
    assert np.percentile(quality, 1) > 0.3
    assert mesh.volumes.sum() == pytest.approx(body.volumes.sum(), rel=1e-3)
    volume = np.bincount(components(mesh), mesh.volumes)
    assert len(volume) == 3
    assert volume.min() > 15e3


@pytest.mark.parametrize("side", SIDES)
def test_paired_area_is_that_of_the_section_of_the_scan(solid, mesh, side):
    face = solid.landmarks.auricular[side]
    plus, minus = mesh.paired
    mine = mesh.face_sets[f"fracture_zone1_{side}"][plus]
    point = face.centre - scans.JOINT_DISTANCE_MM * face.normal
    area = mesh.face_areas[plus[mine]].sum()
    assert area == pytest.approx(scans.section_area(solid, point, face.normal), rel=0.01)
    np.testing.assert_array_equal(mesh.points[mesh.faces[plus]], mesh.points[mesh.faces[minus]])
    np.testing.assert_allclose(mesh.face_normals[plus[mine]] @ face.normal, 1.0, atol=0.02)


def test_fracture_at_the_usual_distance_would_open_the_s3_foramen():
    with pytest.raises(InputError, match="S3_left"):
        fracture_surfaces("zone1", "both", scans.landmarks(), joint_distance_mm=12.0)


# ------------------------------------------------------------------ result
def test_needles_clear_hip_bones_and_foramina(solid):
    share = np.linspace(-2.0, 1.0, 121)[:, None]
    hips = scans.hip_bones()
    for injection in scans.bilateral_case().cement.injections:
        entry, tip = np.array(injection.entry_mm), np.array(injection.target_mm)
        path = entry + share * (tip - entry)
        assert solid.signed_distance(path[share[:, 0] > 0.05]).max() < 0.0
        assert solid.signed_distance(tip[None])[0] < -5.0
        assert hips.signed_distance(path[share[:, 0] < 0.0]).min() > 3.0
        for foramen in solid.landmarks.foramina.values():
            assert corridor_distance(path, foramen).min() > 3.0


def test_every_state_balances(comparison):
    assert set(comparison.records) == {"intact", "before", "after"}
    for solved in comparison.records.values():
        assert solved.checks["residual"] <= 1e-9
        for key in ("force", "moment", "energy"):
            assert solved.checks[key] <= 1e-9, key


def test_cement_is_placed_to_the_last_drop(comparison):
    cement = comparison.cement
    assert cement["placed_ml"] == pytest.approx(4.1, rel=1e-6)
    assert cement["in_bone_ml"] + cement["in_gap_ml"] == pytest.approx(cement["placed_ml"], rel=1e-9)
    assert cement["in_gap_ml"] > 0.1


def test_cement_quiets_both_fractures_and_stiffens_the_bone(comparison):
    intact, before, after = comparison.intact, comparison.before, comparison.after
    assert intact["micromotion_mean_um"] == 0.0
    for side in SIDES:
        entry = comparison.fractures[f"zone1_{side}"]
        change = entry["change"]["micromotion_mean_um"]
        assert entry["before"]["micromotion_mean_um"] > 100.0
        assert -1.0 < change < -0.4
    # Stiffer anywhere means less compliance; the fracture is a loss of stiffness.
    assert after["strain_energy_nmm"] < before["strain_energy_nmm"]
    assert intact["strain_energy_nmm"] < before["strain_energy_nmm"]
    assert before["stiffness_n_per_mm"] < after["stiffness_n_per_mm"]


def test_the_two_sides_of_a_nearly_symmetric_scan_agree(comparison):
    left, right = (comparison.fractures[f"zone1_{side}"]["before"]["micromotion_mean_um"] for side in SIDES)
    assert left == pytest.approx(right, rel=0.1)
    before = comparison.before
    assert before["reaction_share_left"] == pytest.approx(before["reaction_share_right"], rel=0.1)
