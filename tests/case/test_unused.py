import pytest

from sacrofem import Case
from sacrofem.case.presets import PRESETS
from sacrofem.case.unused import unused_keys
from sacrofem.specimen.specimen import Specimen

INJECTION = {"entry_mm": (30.0, 40.0, -10.0), "target_mm": (30.0, 5.0, -10.0), "volume_ml": 2.0}
SPOT = {"cement.volume_ml": 0.0, "cement.spot": {"radius_mm": 5.0}}
SOUND = {"fracture.zone": "none"}
SCAN = {"anatomy.kind": "labels", "anatomy.path": "l.nii", "anatomy.ct": "c.nii"}


@pytest.mark.parametrize(
    ("changes", "key", "reason"),
    [
        ({"cement.ellipsoid_aspect": 2.0}, "cement.ellipsoid_aspect = 2", "cement.spread is flow"),
        (
            {"cement.spread": "ellipsoid", "cement.column_length_mm": 9.0},
            "cement.column_length_mm = 9",
            "cement.spread is ellipsoid",
        ),
        ({"cement.injections": [INJECTION], "cement.needles": 2}, "cement.needles = 2", "[[cement.injections]]"),
        ({"cement.injections": [INJECTION], "cement.side": "left"}, "cement.side = 'left'", "[[cement.injections]]"),
        ({**SPOT, "cement.mixture": "voigt"}, "cement.mixture = 'voigt'", "there is no bolus"),
        ({**SOUND, "fracture.aperture_mm": 2.0}, "fracture.aperture_mm = 2", "there is no fracture"),
        ({**SOUND, "fracture.side": "left"}, "fracture.side = 'left'", "fracture.zone is none"),
        ({**SOUND, "cement.in_gap": "none"}, "cement.in_gap = 'none'", "there is no fracture"),
        ({"fracture.zone": "zone3", "fracture.side": "left"}, "fracture.side = 'left'", "zone3 has no side"),
        ({"fracture.extent_from": "anterior"}, "fracture.extent_from = 'anterior'", "fracture.extent is 1"),
        (
            {"fracture.filler": "open", "fracture.filler_poisson": 0.3},
            "fracture.filler_poisson = 0.3",
            "the gap is open",
        ),
        (
            {"fracture.zone": "zone2", "fracture.joint_distance_mm": 5.0},
            "fracture.joint_distance_mm = 5",
            "zone = zone2",
        ),
        ({"fracture.zone": "zone3", "fracture.tilt_deg": 8.0}, "fracture.tilt_deg = 8", "zone = zone3"),
        (
            {"fracture.zone": "transverse", "fracture.allow_near_joint": True},
            "fracture.allow_near_joint = True",
            "zone = transverse",
        ),
        ({**SOUND, "fracture.joint_distance_mm": 20.0}, "fracture.joint_distance_mm = 20", "zone = none"),
        (
            {"supports.kind": "fixed", "supports.joint.modulus_mpa": 9.0},
            "supports.joint = JointSection(modulus_mpa=9.0)",
            "the auricular faces are fixed",
        ),
        (
            {"supports.ligaments": False, "supports.ligament_stiffness.factor": 1.0},
            "supports.ligament_stiffness = LigamentsSection(factor=1.0)",
            "supports.ligaments is false",
        ),
        ({"lesion.radii_mm": (9.0, 9.0, 9.0)}, "lesion.radii_mm = [9.0, 9.0, 9.0]", "there is no lesion"),
        ({"mesh.size_mm": 5.0, "mesh.reference": "tiny"}, "mesh.reference = 'tiny'", "mesh.size_mm is given"),
        (
            {**SCAN, "materials.alar_void": False},
            "materials.alar_void = False",
            "density is that of the CT",
        ),
        (
            {**SCAN, "materials.rim": "ct", "materials.bone": "normal"},
            "materials.bone = 'normal'",
            "density is that of the CT, and no cortex follows it",
        ),
        (
            {**SCAN, "materials.rim": "ct", "materials.cortex_thickness_mm": 0.0},
            "materials.cortex_thickness_mm = 0",
            "its voxels stand for the cortex",
        ),
        (
            {**SCAN, "materials.calibration_hu": (0.0, 100.0)},
            "materials.calibration_hu = [0.0, 100.0]",
            "materials.calibration is generic",
        ),
        ({"anatomy.units": "cm"}, "anatomy.units = 'cm'", "only an own mesh or surface has units"),
        (
            {"materials.cortex_thickness_mm": 0.0, "materials.cortex_modulus_mpa": 9000.0},
            "materials.cortex_modulus_mpa = 9000",
            "cortex_thickness_mm is 0",
        ),
    ],
)
def test_what_counts_for_nothing_is_named(changes, key, reason):
    (text,) = unused_keys(Case().with_(**changes))
    assert text.startswith(f"{key} does not count: ")
    assert reason in text


@pytest.mark.parametrize("name", PRESETS)
def test_presets_and_complete_files_have_nothing_idle(name):
    assert unused_keys(Case.preset(name)) == ()
    assert unused_keys(Case.from_dict(Case.preset(name).to_dict())) == ()


def test_the_cortex_beside_a_ct_is_that_of_the_named_bone():
    assert unused_keys(Case().with_(**SCAN, **{"materials.bone": "normal"})) == ()


def test_what_counts_is_not_named():
    counting = {
        "cement.spread": "ellipsoid",
        "cement.ellipsoid_aspect": 2.0,
        "fracture.joint_distance_mm": 14.0,
        "fracture.extent": 0.5,
        "fracture.extent_from": "anterior",
        "fracture.filler_poisson": 0.3,
    }
    assert unused_keys(Case().with_(**counting)) == ()


def test_results_carry_the_note():
    case = Case().with_(**{"mesh.reference": "tiny", "mesh.order": 1, "cement.ellipsoid_aspect": 2.0})
    assert any("cement.ellipsoid_aspect = 2 does not count" in text for text in Specimen(case).plan().notes)


def test_a_bolus_of_few_tets_is_named():
    small = Case().with_(**{"mesh.reference": "tiny", "mesh.order": 1, "cement.volume_ml": 0.02})
    specimen = Specimen(small)
    texts = specimen.plan().notes
    assert any("tets only: its volume is exact, its shape is not resolved" in text for text in texts)
    assert not any("tets only" in text for text in specimen.plan(volume_ml=4.1).notes)
