import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from blocks_of_tets import box, split_box
from named_box import half_box, named, whole_box

from sacrofem.bone.laws import LAWS
from sacrofem.bone.provenance import ModulusProvenance
from sacrofem.cement.mixture import cement_material
from sacrofem.errors import InputError
from sacrofem.mechanics.parts.materials import (
    CORTICES,
    Cortex,
    Elasticity,
    bone_elasticity,
    cemented_elasticity,
    cortex,
    cortical_membrane,
    floor_note,
    floor_share,
    no_membrane,
)


def test_fracture_faces_carry_no_cortex():
    mesh = split_box((2, 2, 2), (10.0, 10.0, 10.0), 5.0)
    membrane = cortical_membrane(mesh, cortex())
    paired = mesh.pair_side != 0
    assert paired.any()
    assert (membrane.thickness[paired] == 0).all()
    assert (membrane.thickness[~paired] == 0.65).all()
    assert membrane.faces.tolist() == np.flatnonzero(~paired).tolist()


def test_cut_face_of_a_hemisacrum_carries_no_cortex():
    mesh = named(half_box())
    membrane = cortical_membrane(mesh, cortex("normal"))
    cut = mesh.face_sets["cut"]
    assert cut.any()
    assert (membrane.youngs[cut] == 0).all()
    assert (membrane.thickness[~cut] > 0).all()


def test_endplate_and_auricular_faces_have_their_own_cortex():
    mesh = whole_box()
    shell = cortex("osteoporotic")
    membrane = cortical_membrane(mesh, shell)
    for name, mm, mpa in (
        ("endplate", shell.endplate_thickness_mm, shell.endplate_modulus_mpa),
        ("auricular_left", shell.auricular_thickness_mm, shell.auricular_modulus_mpa),
        ("auricular_right", shell.auricular_thickness_mm, shell.auricular_modulus_mpa),
    ):
        assert (membrane.thickness[mesh.face_sets[name]] == mm).all()
        assert (membrane.youngs[mesh.face_sets[name]] == mpa).all()
    rest = ~(mesh.face_sets["endplate"] | mesh.face_sets["auricular_left"] | mesh.face_sets["auricular_right"])
    np.testing.assert_allclose(membrane.youngs[rest], 0.67 * 17000)


def test_osteoporotic_shell_is_within_the_published_range():
    shell = CORTICES["osteoporotic"]
    assert 0.5 <= shell.thickness_mm <= 0.8
    assert shell.modulus_mpa == pytest.approx(11390.0)
    for name in ("thickness_mm", "modulus_mpa", "endplate_thickness_mm", "auricular_thickness_mm"):
        values = [getattr(CORTICES[bone], name) for bone in ("osteoporotic", "osteopenic", "normal")]
        assert values == sorted(values)


def test_given_thickness_and_modulus_scale_every_face():
    default, thick = cortex(), cortex(thickness_mm=1.3, modulus_mpa=5695.0)
    assert thick.thickness_mm == 1.3
    assert thick.auricular_thickness_mm == pytest.approx(2 * default.auricular_thickness_mm)
    assert thick.endplate_modulus_mpa == pytest.approx(0.5 * default.endplate_modulus_mpa)
    none = cortical_membrane(box(), cortex(thickness_mm=0.0))
    assert len(none.faces) == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cortex("soft"), "materials.bone = 'soft'"),
        (lambda: cortex(thickness_mm=-1.0), "cortex.thickness_mm = -1.0"),
        (lambda: cortex(modulus_mpa=0.0), "cortex.modulus_mpa = 0.0"),
        (lambda: Cortex(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, poisson=0.5), "cortex.poisson = 0.5"),
        (lambda: bone_elasticity(np.array([0.1]), poisson=0.5), "materials.poisson = 0.5"),
    ],
)
def test_bad_materials_are_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_bone_follows_the_law_down_to_the_floor():
    density = np.array([0.0, 0.002, 0.1, 0.3])
    bone = bone_elasticity(density, floor_mpa=10.0)
    assert bone.on_floor.tolist() == [True, True, False, False]
    np.testing.assert_array_equal(bone.youngs[2:], LAWS["kopperdahl2002"](density)[2:])
    assert (bone.youngs[:2] == 10.0).all()
    assert (bone.poisson == 0.3).all()


def test_cement_stiffens_only_where_it_is():
    bone = bone_elasticity(np.array([0.1, 0.1, 0.1]))
    cemented = cemented_elasticity(bone, np.array([0.0, 0.5, 1.0]), cement_material("pmma"))
    assert cemented.youngs[0] == bone.youngs[0]
    assert cemented.poisson[0] == bone.poisson[0]
    assert bone.youngs[1] < cemented.youngs[1] < cemented.youngs[2] == pytest.approx(2000.0)


def test_floor_share_is_by_volume():
    mesh = box((2, 1, 1), (3.0, 1.0, 1.0))
    left = mesh.centroids[:, 0] < 1.5
    bone = bone_elasticity(np.where(left, 0.0, 0.2))
    assert floor_share(mesh, bone) == pytest.approx(0.5)
    assert floor_share(mesh, bone, left) == 1.0
    assert floor_share(mesh, bone, np.zeros(len(mesh.tets), dtype=bool)) is None


def test_bone_says_which_law_and_which_floor_made_it():
    bone = bone_elasticity(np.array([0.0, 0.1]), law="morgan2003-vertebra", floor_mpa=7.0)
    assert bone.provenance == ModulusProvenance.from_law(LAWS["morgan2003-vertebra"], 7.0, applied=False)
    assert bone_elasticity(np.array([0.0, 0.1])).provenance.floor_applied
    for again in (copy.deepcopy(bone), pickle.loads(pickle.dumps(bone))):
        assert again.provenance == bone.provenance
    cemented = cemented_elasticity(bone, np.array([0.0, 1.0]), cement_material("pmma"))
    assert cemented.provenance == bone.provenance


def test_other_moduli_have_no_share_in_the_provenance_of_a_law():
    bone = bone_elasticity(np.array([0.05, 0.1]))
    own = (Elasticity(bone.youngs, bone.poisson, bone.on_floor), replace(bone, youngs=2.0 * bone.youngs))
    for elasticity in own:
        assert elasticity.provenance == ModulusProvenance.given()
    named = Elasticity.given(2.0 * bone.youngs, 0.25, "twice as stiff")
    assert named.provenance.text == "given in Python: twice as stiff; no law and no floor of ours"
    assert named.poisson.tolist() == [0.25, 0.25]
    assert not named.on_floor.any()


def test_no_floor_no_share_and_no_note():
    mesh = box((2, 1, 1), (3.0, 1.0, 1.0))
    left = mesh.centroids[:, 0] < 1.5
    bone = bone_elasticity(np.where(left, 0.0, 0.2), floor_mpa=12.0)
    text = "bone on the modulus floor of 12 MPa: 50 % of the volume"
    assert floor_note(mesh, bone, None) == text
    assert floor_note(mesh, bone, left) == f"{text}, 100 % within 5 mm of the fracture"
    assert floor_note(mesh, bone_elasticity(np.full(len(mesh.tets), 0.2)), left) is None
    given = Elasticity(bone.youngs, bone.poisson, bone.on_floor)
    assert (floor_share(mesh, given), floor_note(mesh, given, left)) == (None, None)


def test_cortex_says_what_it_is_made_of():
    mesh = box((2, 2, 2), (10.0, 10.0, 10.0))
    text = cortical_membrane(mesh, cortex("normal")).provenance.text
    assert text.startswith("plane-stress membrane: shell 1 mm of 17000 MPa, endplate 1 mm of 1000 MPa")
    assert "(normal bone: 17 GPa, nu 0.3" in text
    # The source of a number that was not used is not named.
    own = cortical_membrane(mesh, cortex("normal", thickness_mm=0.5, modulus_mpa=9000.0)).provenance
    assert (own.source, own.faces[0]) == ("thickness and modulus of the shell as given", ("shell", 0.5, 9000.0))
    half = cortical_membrane(mesh, cortex("normal", thickness_mm=0.5)).provenance
    assert half.source.startswith("thickness of the shell as given, else normal bone: 17 GPa")
    assert cortical_membrane(mesh, cortex(thickness_mm=0.0)).provenance.text == "none: its thickness is 0"
    membrane = no_membrane(mesh, "the voxels of the CT stand for it")
    assert (len(membrane.faces), membrane.provenance.text) == (0, "none: the voxels of the CT stand for it")
    assert replace(membrane, thickness=membrane.thickness + 1.0).provenance.kind == "python"
