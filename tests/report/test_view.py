import matplotlib.image
import numpy as np
import pytest

from sacrofem import Case, cli
from sacrofem.report.results import write_comparison
from sacrofem.specimen.comparison import compare


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
