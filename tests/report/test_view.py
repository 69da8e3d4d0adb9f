import matplotlib.image
import numpy as np
import pytest
from blocks_of_tets import split_box

from sacrofem import Case, cli, write_mesh
from sacrofem.report.results import write_comparison
from sacrofem.specimen.compare import compare


@pytest.mark.slow
def test_a_picture_of_both_states(tmp_path, capfd):
    out = tmp_path / "out"
    case = Case.preset("sif-unilateral").with_(mesh__reference="tiny", mesh__order=1)
    write_comparison(out, compare(case), seconds=1.0, inputs={})
    png = tmp_path / "scene.png"
    assert cli.main(["view", str(out), "--png", str(png)]) == 0
    picture = matplotlib.image.imread(png)[..., :3]
    left, right = np.split(picture, 2, axis=1)
    for half in (left, right):
        assert 0.05 < (half.min(axis=2) < 0.97).mean() < 0.9
    blue = (right[..., 2] > right[..., 0] + 0.15).mean()
    assert blue > 1e-3
    assert (left[..., 2] > left[..., 0] + 0.15).mean() < 0.2 * blue + 1e-3
    assert cli.main(["view", str(out), "--png", str(png)]) == 2
    assert "exists already" in capfd.readouterr().err
    assert not list(tmp_path.glob(".*partial*"))


def test_bad_folders(tmp_path, capsys):
    assert cli.main(["view", str(tmp_path), "--png", str(tmp_path / "a.png")]) == 2
    assert "before.vtu" in capsys.readouterr().err
    assert cli.main(["view", str(tmp_path), "--png", str(tmp_path / "a.jpg")]) == 2
    assert cli.main(["view", str(tmp_path), "--png", str(tmp_path / "none" / "a.png")]) == 2


def test_meshes_without_fields_are_refused(tmp_path, capsys):
    for name in ("before", "after"):
        write_mesh(tmp_path / f"{name}.vtu", split_box((2, 2, 2), (4.0, 4.0, 4.0), 2.0))
    assert cli.main(["view", str(tmp_path), "--png", str(tmp_path / "a.png")]) == 2
    error = capsys.readouterr().err
    assert "before.vtu: has no micromotion; run `sacrofem compare` again" in error
    assert not (tmp_path / "a.png").exists()
