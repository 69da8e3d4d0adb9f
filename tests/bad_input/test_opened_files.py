"""Headers that name other files: the system calls of reading them say that none was opened."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mutants import sound

HELPERS = Path(__file__).parents[1] / "helpers"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HELPERS), os.environ.get("PYTHONPATH", "")])}
SECRET = "no-file-of-theirs"


def hostile(folder, victim):
    """Files that name another one, which is none of theirs."""
    made = sound(folder)
    raw = f"{victim}"
    voxels = (
        "type: short\ndimension: 3\nsizes: 10 12 14\nencoding: raw\nendian: little\nspace: left-posterior-superior\n"
    )
    voxels += "space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\n"
    meta = "ObjectType = Image\nNDims = 3\nDimSize = 10 12 14\nElementType = MET_SHORT\nElementSpacing = 1 1 1\n"
    texts = {
        "attached.nrrd": f"NRRD0004\n{voxels}data file: {raw}\n\n",
        "detached.nhdr": f"NRRD0004\n{voxels}datafile: {raw}\n\n",
        "listed.nhdr": f"NRRD0004\n{voxels}data file: LIST\n{raw}\n",
        "pattern.nhdr": f"NRRD0004\n{voxels}data file: {Path(raw).parent}/%d.raw 1 3 1 2\n\n",
        "here.mha": f"{meta}ElementDataFile = {raw}\n",
        "there.mhd": f"{meta}ElementDataFile = {raw}\n",
        "listed.mhd": f"{meta}ElementDataFile = LIST\n{raw}\n",
        "pattern.mhd": f"{meta}ElementDataFile = {Path(raw).parent}/%d.raw 1 3 1\n",
        "material.obj": f"mtllib {raw}\n" + made["bone.obj"].read_text(),
        "entity.vtu": made["bone.vtu"].read_text().replace(
            "<VTKFile", f'<!DOCTYPE x [<!ENTITY secret SYSTEM "file://{raw}">]>\n<VTKFile', 1
        ),
        "include.bdf": f"INCLUDE '{raw}'\n" + made["bone.bdf"].read_text(),
        "include.inp": f"*INCLUDE, INPUT={raw}\n" + made["bone.inp"].read_text(),
        "texture.ply": "ply\nformat ascii 1.0\n" + f"comment TextureFile {raw}\n"
        "element vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
        "element face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n90 0 0\n0 90 0\n3 0 1 2\n",
    }  # fmt: skip
    if "bone.vtp" in made:
        texts["entity.vtp"] = (
            f'<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY secret SYSTEM "file://{raw}">]>\n'
            '<VTKFile type="PolyData"><PolyData><Piece NumberOfPoints="0">&secret;</Piece></PolyData></VTKFile>'
        )
    for name, text in texts.items():
        (folder / name).write_text(text)
        yield folder / name
    (folder / "linked.mhd").write_text(f"{meta}ElementDataFile = linked.raw\n")
    (folder / "linked.raw").symlink_to(victim)
    yield folder / "linked.mhd"


@pytest.mark.slow
def test_no_file_that_was_not_named_is_opened(tmp_path):
    if shutil.which("strace") is None:
        if "strace" in os.environ.get("SACROFEM_REQUIRE", ""):
            pytest.fail("strace is required and missing")
        pytest.skip("needs strace")
    if subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no process may be traced here")
    victims = tmp_path / SECRET
    victims.mkdir()
    for name in ("1.raw", "2.raw", "3.raw"):
        (victims / name).write_bytes(bytes(2 * 10 * 12 * 14))
    folder = tmp_path / "given"
    folder.mkdir()
    paths = list(hostile(folder, victims / "1.raw"))
    code = (
        "import sys; from pathlib import Path; from mutants import read\n"
        "from sacrofem.errors import SacrofemError\n"
        "for path in map(Path, sys.argv[1:]):\n"
        "    try: print(path.name, 'read', type(read(path)).__name__)\n"
        "    except SacrofemError as error: print(path.name, 'refused', error)\n"
    )
    log = tmp_path / "calls"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-e", "trace=open,openat,openat2,creat", "-o", str(log), sys.executable, "-c", code,
         *map(str, paths)],
        env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert set(told) == {path.name for path in paths}
    calls = log.read_text(errors="replace")
    assert str(folder / "attached.nrrd") in calls
    opened = [line for line in calls.splitlines() if SECRET in line]
    assert not opened, f"{opened[0]}: {told}"
    # The link lies beside its header and is opened by that name: what it leads to is not theirs either.
    assert "linked.raw" not in "".join(line for line in calls.splitlines() if "O_RDONLY" in line), told["linked.mhd"]
    assert all(told[name].startswith("refused") for name in told if name not in READ_AS_THEY_ARE), told


READ_AS_THEY_ARE = ("material.obj", "texture.ply")
"""What they name besides is a picture, which nobody looks at."""
