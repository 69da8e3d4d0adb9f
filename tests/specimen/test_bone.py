"""A case with its own CT, its own moduli and its own names of faces, down to the specimen."""

import hashlib
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from modulitable import write_moduli

import sacrofem as sf
from sacrofem import Case, InputError, Specimen
from sacrofem.bone.ct import GENERIC
from sacrofem.bone.laws import LAWS
from sacrofem.mesh.files.files import reference_mesh, write_mesh
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.specimen.check import summary
from sacrofem.specimen.mesh import mesh_origin
from sacrofem.specimen.provenance import Given


def hu(x):
    return 150.0 + 0.5 * x[..., 0] + 0.8 * x[..., 2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An own mesh with names of its own, and a CT of it in a frame of its own."""
    folder = tmp_path_factory.mktemp("own")
    mesh = reference_mesh("sacrum-tiny-intact")
    names = {"endplate": "S1 top", "auricular_left": "SI_L", "auricular_right": "SI_R", "outer": "outer"}
    sets = {names[name]: members for name, members in mesh.face_sets.items() if name in names}
    write_mesh(folder / "bone.vtu", TetMesh(mesh.points, mesh.tets, mesh.faces, {}, sets))
    sitk = import_module("SimpleITK")
    low, high = mesh.points.min(axis=0) - 6.0, mesh.points.max(axis=0) + 6.0
    n = np.ceil((high - low) / 5.0).astype(int) + 1
    points = low + 5.0 * np.stack(np.meshgrid(*map(np.arange, n), indexing="ij"), axis=-1)
    image = sitk.GetImageFromArray(hu(points).transpose(2, 1, 0).astype(np.float32))
    image.SetSpacing((5.0, 5.0, 5.0))
    # The scanner's origin lies elsewhere: ct_transform leads back.
    image.SetOrigin(tuple((low + np.array([100.0, -50.0, 900.0])).tolist()))
    sitk.WriteImage(image, str(folder / "ct.nrrd"))
    return folder


CASE = """
[anatomy]
kind = "mesh"
path = "bone.vtu"
{anatomy}
[anatomy.sets]
{sets}
[mesh]
order = 1
[materials]
{materials}
"""
SETS = 'endplate = "S1 top"\nauricular_left = "SI_L"\nauricular_right = "SI_R"\n'
CT = 'ct = "ct.nrrd"\nct_transform = [1, 0, 0, -100, 0, 1, 0, 50, 0, 0, 1, -900, 0, 0, 0, 1]'.replace("1,", "1.0,")


def case_of(folder, anatomy="", sets=SETS, materials=""):
    floats = (
        anatomy.replace(" 0,", " 0.0,").replace("-100,", "-100.0,").replace("50,", "50.0,").replace("-900,", "-900.0,")
    )
    path = folder / "case.toml"
    path.write_text(CASE.format(anatomy=floats.replace(" 1]", " 1.0]"), sets=sets, materials=materials))
    return Case.from_toml(path)


def test_an_own_mesh_with_its_ct_and_its_names_is_cut_and_has_its_density(folder):
    specimen = Specimen(case_of(folder, CT, materials='rim = "ct"'))
    assert len(specimen.mesh.paired[0]) > 20
    np.testing.assert_allclose(specimen.bone.density, GENERIC(hu(specimen.mesh.centroids)), rtol=1e-5)
    assert len(specimen.bone.cortex.faces) == 0
    assert any("generic line: 0.810 HU" in note for note in specimen.notes)
    found = specimen.bone.provenance
    assert found.density.text.startswith(
        "CT ct.nrrd: NRRD, 25 x 18 x 27 voxels of 5 x 5 x 5 mm, axes LPS (to the left, back, "
    )
    assert f"its rim included ({GENERIC.source}); in the bone 0 % below −200 HU, 0 % fat, " in found.density.text
    shares = found.density.to_json()["hu_shares"]
    values = hu(specimen.mesh.centroids)
    volumes = specimen.mesh.volumes / specimen.mesh.volumes.sum()
    assert shares["marrow"] == pytest.approx(volumes @ (values < 100.0), abs=0.02)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert found.density.line == (GENERIC.slope, GENERIC.intercept)
    assert found.cortex.text == "none: the voxels of the CT stand for it"
    assert specimen.mesh_origin == "bone.vtu, as it is"
    # Written complete and read again, it is the same case.
    case = specimen.case
    (folder / "again.toml").write_text(case.to_toml())
    assert Case.from_toml(folder / "again.toml") == case


def test_with_the_membrane_the_rim_of_the_ct_is_left_out_and_the_membrane_is_there(folder):
    specimen = Specimen(case_of(folder, CT))
    assert len(specimen.bone.cortex.faces) > 100
    found = specimen.bone.provenance
    assert found.cortex.text.startswith("plane-stress membrane: shell 0.65 mm of 11390 MPa")
    assert found.density.rim == "membrane"
    inner = np.abs(specimen.bone.density - GENERIC(hu(specimen.mesh.centroids))) < 0.03
    assert inner.mean() > 0.9


def test_faces_are_found_from_the_landmarks_on_request(folder):
    sets = SETS.replace('"S1 top"', '"by-geometry"')
    specimen = Specimen(case_of(folder, sets=sets))
    named, found = reference_mesh("sacrum-tiny-intact"), specimen.mesh
    area = named.face_areas[named.face_sets["endplate"]].sum()
    assert found.face_areas[found.face_sets["endplate"]].sum() == pytest.approx(area, rel=0.05)
    assert any("endplate" in note and "was found from the landmarks" in note for note in specimen.notes)


@pytest.mark.slow
def test_moduli_of_a_file_are_those_of_the_specimen(folder):
    first = Specimen(case_of(folder))
    youngs = 20.0 + np.arange(len(first.mesh.tets)) * 0.1
    write_moduli(folder / "e.csv", youngs)
    second = Specimen(case_of(folder, materials='moduli = "e.csv"'))
    np.testing.assert_array_equal(second.bone.elasticity.youngs, youngs)
    assert not second.bone.elasticity.on_floor.any()
    found = second.bone.provenance.modulus
    digest = hashlib.sha256((folder / "e.csv").read_bytes()).hexdigest()
    assert (found.kind, found.law, found.floor_mpa, found.sha256) == ("table", None, None, digest)
    assert summary(second, second.plan())["bone"]["on_floor_share"] is None
    assert summary(first, first.plan())["bone"]["on_floor_share"] > 0
    write_moduli(folder / "short.csv", youngs[:-1])
    with pytest.raises(InputError, match="elements have no modulus"):
        Specimen(case_of(folder, materials='moduli = "short.csv"'))


TINY = Case().with_(**{"mesh.reference": "tiny", "mesh.order": 1})
MORGAN = {"coefficient": 4730.0, "exponent": 1.56, "density": "apparent", "source": "Morgan 2003"}


@pytest.fixture(scope="module")
def tiny():
    return Specimen(TINY.with_(materials__poisson=0.2))


def test_a_law_of_ones_own_gets_the_density_that_it_means():
    own = Specimen(TINY.with_(materials__law=MORGAN)).bone
    named = Specimen(TINY.with_(materials__density_law="morgan2003-vertebra")).bone
    np.testing.assert_array_equal(own.elasticity.youngs, named.elasticity.youngs)
    np.testing.assert_array_equal(own.elasticity.on_floor, named.elasticity.on_floor)
    law = own.provenance.modulus.law
    assert (law.name, law.density, law.source) == ("own law", "apparent", "Morgan 2003")
    assert named.provenance.modulus.law is LAWS["morgan2003-vertebra"]
    with pytest.raises(InputError, match=r"law.coefficient = 30.0: gives .* MPa at 0.2 g/cm³"):
        Specimen(TINY.with_(materials__law={**MORGAN, "coefficient": 30.0, "exponent": 4.0}))


def test_a_lesion_and_a_factor_are_said_of_the_density():
    case = Case.preset("lytic-focal").with_(
        **{"mesh.reference": "tiny", "mesh.order": 1, "materials.density_factor": 0.8}
    )
    text = Specimen(case).bone.provenance.density.text
    assert text.endswith("all of it times 0.8; times 0.1 in the middle of the focal lesion")


def test_what_was_given_in_python_leaves_no_word_of_the_case(tiny):
    assert (tiny.given.notes(), tiny.given.case_as_solved(tiny.case)) == ((), tiny.case.to_dict())
    own = tiny.with_moduli(3.0 * tiny.bone.elasticity.youngs, 0.25, word="three times as stiff")
    assert own.bone.provenance.poisson == (0.25, 0.25)
    assert own.given.notes() == (
        "given in Python (three times as stiff): moduli; the case alone does not give these numbers again",
    )
    gone = set(tiny.case.to_dict()["materials"]) - set(own.given.case_as_solved(own.case)["materials"])
    assert gone == {"density_law", "floor_mpa", "poisson"}
    # Density, pores and cortex are still those of the case, and the specimen that was asked is what it was.
    assert own.bone.provenance.density == tiny.bone.provenance.density
    assert tiny.bone.provenance.modulus.kind == "law"
    # What cement makes of it is still this bone.
    assert own.recipe(own.plan()).bone.provenance == own.bone.elasticity.provenance
    thick = replace(own.bone.cortex, thickness=2.0 * own.bone.cortex.thickness)
    given = Given.of(replace(own.bone, cortex=thick).provenance, mesh=True, forms=("spring",))
    assert given.what == ("moduli", "cortex", "mesh", "form spring")
    assert set(given.case_as_solved(own.case)["mesh"]) == {"order"}


def test_moduli_given_in_python_are_solved_and_refused_where_they_are_none(tiny):
    bone = tiny.bone.elasticity
    same = tiny.with_moduli(bone.youngs)
    assert "statics" not in vars(same)
    u = tiny.solve().state.displacement
    solution = same.solve()
    np.testing.assert_array_equal(solution.state.displacement, u)
    assert solution.provenance["bone"]["modulus"]["text"] == "given in Python; no law and no floor of ours"
    assert (solution.provenance["given_in_python"], tiny.given.what) == (["moduli"], ())
    doubled = tiny.with_moduli(2.0 * bone.youngs)
    assert np.abs(doubled.solve().state.displacement).max() < np.abs(u).max()
    with pytest.raises(InputError, match="is of another specimen"):
        sf.compare(tiny.solve(), doubled.solve(doubled.plan()))
    for youngs, text in ((bone.youngs[:-1], "youngs: has shape"), (-bone.youngs, "youngs: must lie in")):
        with pytest.raises(InputError, match=text):
            tiny.with_moduli(youngs)
    with pytest.raises(ValueError, match="read-only"):
        bone.youngs *= 2.0


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "shipped mesh “medium”"),
        ({"anatomy.sex": "male"}, "made at 4 mm, 2.4 mm at the fracture"),
        ({"mesh.size_mm": 6.0, "mesh.fracture_size_mm": 3.0}, "made at 6 mm, 3 mm at the fracture"),
        ({"anatomy.kind": "mesh", "anatomy.path": "/x/own.vtu"}, "own.vtu, as it is"),
    ],
)
def test_a_mesh_says_where_it_comes_from(changes, text):
    assert mesh_origin(Case().with_(**changes)) == text


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"materials": 'rim = "ct"'}, "there is no CT"),
        ({"materials": 'calibration = "phantom"'}, "there is no CT"),
        ({"anatomy": 'ct = "none.nii"'}, "no such file"),
        ({"anatomy": 'ct = "ct.nrrd"'}, "elements lie outside the CT"),
        ({"anatomy": CT, "materials": 'calibration = "phantom"'}, "two or more finite CT numbers"),
        ({"sets": SETS.replace("SI_L", "SI_X")}, "no faces of that name; it has S1 top, SI_L, SI_R"),
        ({"anatomy": "ct_transform = [1.0]"}, "needs anatomy.ct"),
        ({"anatomy": 'ct = "ct.nrrd"\nct_transform = [1.0]'}, "is no 4 x 4 matrix"),
    ],
)
def test_what_does_not_fit_is_refused(folder, keys, message):
    with pytest.raises(InputError, match=message):
        Specimen(case_of(folder, **keys))


def test_the_built_in_sacrum_takes_no_ct(folder):
    with pytest.raises(InputError, match="does not take it"):
        Case.from_dict({"anatomy": {"ct": "a.nii"}})
