import json
import math

import pytest

from sacrofem.errors import InputError
from sacrofem.study.design import read_study, study_of

HEAD = 'schema = 1\nname = "trial"\npreset = "sif-unilateral"\n[case.mesh]\nreference = "tiny"\n'


def study(tmp_path, text, head=HEAD):
    path = tmp_path / "study.toml"
    path.write_text(head + text)
    return read_study(path)


def test_grid(tmp_path):
    found = study(
        tmp_path,
        '[[factors]]\npath = "cement.volume_ml"\nvalues = [1.0, 2.0, 4.0]\n'
        '[[factors]]\npath = "materials.density_factor"\nvalues = [0.8, 1.2]\n',
    )
    assert found.columns == ("cement.volume_ml", "materials.density_factor")
    assert len(found.scenarios) == 6
    assert [s.case.cement.volume_ml for s in found.scenarios] == [1.0, 1.0, 2.0, 2.0, 4.0, 4.0]
    assert {s.case.mesh.reference for s in found.scenarios} == {"tiny"}
    # Cement is what a group shares everything but.
    assert [len(group) for group in found.groups()] == [3, 3]


def test_levels_set_several_keys_under_a_label(tmp_path):
    found = study(
        tmp_path,
        '[[factors]]\nname = "way"\nlevels = [{label = "short", "cement.approach" = "short-axis"}, '
        '{label = "long", "cement.approach" = "long-axis", "cement.needles" = 2}]\n',
    )
    assert [s.factors["way"] for s in found.scenarios] == ["short", "long"]
    assert found.scenarios[1].case.cement.needles == 2


@pytest.mark.parametrize(
    "design",
    [
        '[design]\nreplicates = 3\n[[factors]]\npath = "cement.volume_ml"\nvalues = [1.0, 2.0]\n',
        '[design]\nreplicates = 3\nkind = "list"\n[[scenarios]]\n"cement.volume_ml" = 1.0\n'
        '[[scenarios]]\n"cement.volume_ml" = 2.0\n',
    ],
)
def test_every_scenario_on_meshes_of_the_same_size(tmp_path, design):
    found = study(tmp_path, "size_mm = 8.0\n" + design)
    assert found.columns == ("cement.volume_ml", "mesh.replicate")
    assert [(s.case.cement.volume_ml, s.case.mesh.replicate) for s in found.scenarios] == [
        (volume, number) for volume in (1.0, 2.0) for number in (0, 1, 2)
    ]
    # Scenarios of one mesh are set up together.
    assert [len(group) for group in found.groups()] == [2, 2, 2]
    assert study_of(json.loads(json.dumps(found.to_json())), file=tmp_path).digest == found.digest


def test_one_at_a_time(tmp_path):
    found = study(
        tmp_path,
        '[design]\nkind = "one-at-a-time"\n[[factors]]\npath = "cement.volume_ml"\nvalues = [4.0, 1.0, 6.0]\n'
        '[[factors]]\npath = "materials.floor_mpa"\nvalues = [10.0, 5.0]\n',
    )
    rows = [tuple(s.factors.values()) for s in found.scenarios]
    assert rows == [(4.0, 10.0), (1.0, 10.0), (6.0, 10.0), (4.0, 5.0)]


@pytest.mark.parametrize("kind", ["latin-hypercube", "sobol"])
def test_samples_fill_their_ranges_and_repeat_with_their_seed(tmp_path, kind):
    text = (
        f'[design]\nkind = "{kind}"\nsamples = 16\nseed = 5\n'
        '[[factors]]\npath = "cement.volume_ml"\nlow = 0.5\nhigh = 8.0\nlog = true\n'
        '[[factors]]\npath = "materials.density_factor"\nlow = 0.5\nhigh = 1.5\n'
    )
    first, again = study(tmp_path, text), study(tmp_path, text)
    assert first.digest == again.digest
    assert first.digest != study(tmp_path, text.replace("seed = 5", "seed = 6")).digest
    shares = sorted(math.log(s.case.cement.volume_ml / 0.5) / math.log(16.0) for s in first.scenarios)
    assert len(shares) == 16
    # One in each sixteenth of the range.
    assert [int(16 * share) for share in shares] == list(range(16))


def test_list(tmp_path):
    found = study(
        tmp_path,
        '[design]\nkind = "list"\n[[scenarios]]\n"cement.volume_ml" = 1.0\n[[scenarios]]\n"cement.volume_ml" = 3.0\n'
        '"materials.floor_mpa" = 5.0\n',
    )
    assert found.columns == ("cement.volume_ml", "materials.floor_mpa")
    assert [s.case.cement.volume_ml for s in found.scenarios] == [1.0, 3.0]


def test_base_is_a_case_file_beside_the_study(tmp_path):
    (tmp_path / "mine.toml").write_text('preset = "sif-unilateral"\n[cement]\nvolume_ml = 2.5\n')
    found = study(
        tmp_path, '[[factors]]\npath = "materials.floor_mpa"\nvalues = [5.0, 10.0]\n',
        'schema = 1\nname = "t"\nbase = "mine.toml"\n',
    )  # fmt: skip
    assert {s.case.cement.volume_ml for s in found.scenarios} == {2.5}


ENDLESS = "".join(
    f'[[factors]]\npath = "{path}"\nvalues = {[1.0 + k / 1000 for k in range(1000)]}\n'
    for path in ("cement.volume_ml", "materials.density_factor", "fracture.aperture_mm")
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no scenario"),
        ('[[factors]]\npath = "cement.volume"\nvalues = [1.0]\n', "volume_ml"),
        ('[[factors]]\npath = "cement.volume_ml"\nvalues = [1.0, -3.0]\n', "scenario 2"),
        ('[[factors]]\npath = "cement.volume_ml"\nvalue = [1.0]\n', "did you mean values?"),
        ('[[factors]]\npath = "cement.volume_ml"\nxyz = [1.0]\n', "known here are path"),
        ("[desing]\nseed = 1\n", "did you mean design?"),
        ('[[factors]]\npath = "cement.volume_ml"\nvalues = [1.0]\nlow = 1.0\nhigh = 2.0\n', "one of values"),
        ('[[factors]]\npath = "cement.volume_ml"\nlow = 1.0\nhigh = 2.0\n', "sampled design"),
        ('[design]\nkind = "sobol"\n[[factors]]\npath = "cement.volume_ml"\nlow = 1.0\nhigh = 2.0\n', "samples"),
        ('[design]\nkind = "mesh"\n', "design.kind"),
        ('[[factors]]\nname = "a"\nlevels = [{"cement.volume_ml" = 1.0}]\n', "label"),
        ('[[scenarios]]\n"cement.volume_ml" = 1.0\n', 'kind = "list"'),
        pytest.param(
            '[[factors]]\npath = "cement.volume_ml"\nlow = 2.0\nhigh = 1.0\n', "needs low < high", id="reversed"
        ),
        pytest.param('[[factors]]\npath = "cement.volume_ml"\nvalues = []\n', "one of values", id="empty"),
        pytest.param(ENDLESS, "1000000000 scenarios", id="endless"),
        (
            '[design]\nreplicates = 2\nkind = "morris"\nsamples = 2\n'
            '[[factors]]\npath = "cement.volume_ml"\nlow = 1.0\nhigh = 2.0\n',
            "make mesh.replicate a factor",
        ),
        (
            '[design]\nreplicates = 2\n[[factors]]\npath = "mesh.replicate"\nvalues = [0, 1]\n',
            "mesh.replicate is a factor already",
        ),
        ('[design]\nreplicates = 2\n[[factors]]\npath = "cement.volume_ml"\nvalues = [1.0]\n', "give mesh.size_mm"),
        ("[[factors]\n", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(tmp_path, text, said):
    with pytest.raises(InputError, match=r"study\.toml") as caught:
        study(tmp_path, text)
    assert said in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_study(tmp_path / "none.toml")


GRID = (
    '[[factors]]\npath = "cement.volume_ml"\nvalues = [1.0, 2.0, 4.0]\n'
    '[[factors]]\nname = "way <i>"\nlevels = [{label = "short", "cement.approach" = "short-axis"}, '
    '{label = "long", "cement.approach" = "long-axis", "lesion.radii_mm" = [9.0, 8.0, 7.0]}]\n'
)
SAMPLED = (
    '[design]\nkind = "latin-hypercube"\nsamples = 5\nseed = 3\n'
    '[[factors]]\npath = "cement.volume_ml"\nlow = 0.5\nhigh = 8.0\nlog = true\n'
)
LIST = '[design]\nkind = "list"\n[[scenarios]]\n"cement.volume_ml" = 1.0\n[[scenarios]]\n"materials.floor_mpa" = 5.0\n'


@pytest.mark.parametrize("text", [GRID, SAMPLED, LIST], ids=["grid", "sampled", "list"])
def test_a_study_is_made_again_from_its_description(tmp_path, text):
    found = study(tmp_path, text)
    again = study_of(json.loads(json.dumps(found.to_json())), file=tmp_path / "study.json")
    assert again == found
    assert again.digest == found.digest


@pytest.mark.parametrize("change", [{"schema": 3}, {"base": {"cement": {"volume": 1}}}, {"base": None}, {"more": 1}])
def test_a_description_of_another_version_is_refused(tmp_path, change):
    data = study(tmp_path, GRID).to_json() | change
    with pytest.raises(InputError, match=r"study\.json: describes no study that this version can read; run the study"):
        study_of(data, file=tmp_path / "study.json")
