"""The wheel itself, installed in an environment of its own beside the checkout."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _run(*command, cwd):
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="needs a checkout")
def test_the_wheel_holds_the_meshes_and_verifies_itself(tmp_path):
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, ROOT, cwd=tmp_path)
    (wheel,) = tmp_path.glob("sacrofem-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    shipped = {Path(name).name for name in names if name.startswith("sacrofem/_meshes/")}
    expected = {path.name for path in (ROOT / "meshes").rglob("*") if path.is_file() and path.suffix != ".py"}
    assert shipped == expected
    assert sum(path.stat().st_size for path in (ROOT / "meshes").rglob("*.vtu")) < 15e6
    # Unpacked beside nothing of the checkout; the dependencies come from this environment.
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[1])\n"
        "import sacrofem; assert sacrofem.__file__.startswith(sys.argv[1])\n"
        "from sacrofem.study.regression import CASES, baselines_folder, compared, values_of\n"
        "case, folder = CASES[0], baselines_folder()\n"
        "assert str(folder).startswith(sys.argv[1])\n"
        "stored = json.loads((folder / f'{case.name}.json').read_text())\n"
        "print(json.dumps([str(d) for d in compared(case.name, stored, values_of(case))]))"
    )
    out = _run(sys.executable, "-P", "-c", code, tmp_path / "site", cwd=tmp_path)
    assert json.loads(out.splitlines()[-1]) == []
