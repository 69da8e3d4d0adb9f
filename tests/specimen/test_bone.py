"""A case with its own CT, its own moduli and its own names of faces, down to the specimen."""

from importlib import import_module

import numpy as np
import pytest

from sacrofem import Case, InputError, Specimen
from sacrofem.bone.ct import GENERIC
from sacrofem.bone.moduli import write_moduli
from sacrofem.mesh.files.files import reference_mesh, write_mesh
from sacrofem.mesh.tetmesh import TetMesh


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
    # Written complete and read again, it is the same case.
    case = specimen.case
    (folder / "again.toml").write_text(case.to_toml())
    assert Case.from_toml(folder / "again.toml") == case


def test_with_the_membrane_the_rim_of_the_ct_is_left_out_and_the_membrane_is_there(folder):
    specimen = Specimen(case_of(folder, CT))
    assert len(specimen.bone.cortex.faces) > 100
    inner = np.abs(specimen.bone.density - GENERIC(hu(specimen.mesh.centroids))) < 0.03
    assert inner.mean() > 0.9


def test_faces_are_found_from_the_landmarks_on_request(folder):
    sets = SETS.replace('"S1 top"', '"by-geometry"')
    specimen = Specimen(case_of(folder, sets=sets))
    named, found = reference_mesh("sacrum-tiny-intact"), specimen.mesh
    area = named.face_areas[named.face_sets["endplate"]].sum()
    assert found.face_areas[found.face_sets["endplate"]].sum() == pytest.approx(area, rel=0.05)
    assert any("endplate" in note and "was found from the landmarks" in note for note in specimen.notes)


def test_moduli_of_a_file_are_those_of_the_specimen(folder):
    first = Specimen(case_of(folder))
    youngs = 20.0 + np.arange(len(first.mesh.tets)) * 0.1
    write_moduli(folder / "e.csv", youngs)
    second = Specimen(case_of(folder, materials='moduli = "e.csv"'))
    np.testing.assert_array_equal(second.bone.elasticity.youngs, youngs)
    assert not second.bone.elasticity.on_floor.any()
    write_moduli(folder / "short.csv", youngs[:-1])
    with pytest.raises(InputError, match="elements have no modulus"):
        Specimen(case_of(folder, materials='moduli = "short.csv"'))


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
