"""The shipped meshes: as the manifest says, of the right topology, and of the sacrum that they claim to be."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from morphometry import measure_sacrum

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum
from sacrofem.mesh.files.files import reference_folder, reference_mesh
from sacrofem.mesh.quality import check_mesh, components, element_quality, genus

FOLDER = reference_folder()
MANIFEST = {
    name: entry
    for name, entry in tomllib.loads((FOLDER / "manifest.toml").read_text(encoding="utf-8")).items()
    if name != "schema"
}
SACRA = [f"sacrum-{size}-{kind}" for size in ("tiny", "coarse", "medium") for kind in ("intact", "bilateral")]
BUILD = Path(__file__).parents[2] / "meshes" / "build.py"


def test_manifest_lists_exactly_the_meshes():
    assert set(MANIFEST) == {path.stem for path in FOLDER.glob("*.vtu")} == {*SACRA, "block-gap"}
    assert sum(path.stat().st_size for path in FOLDER.glob("*.vtu")) < 15e6


@pytest.mark.parametrize("name", [*SACRA, "block-gap"])
def test_mesh_is_as_its_manifest_says(name):
    entry = MANIFEST[name]
    assert hashlib.sha256((FOLDER / f"{name}.vtu").read_bytes()).hexdigest() == entry["sha256"]
    mesh = reference_mesh(name)
    check_mesh(mesh, name)
    assert (len(mesh.points), len(mesh.tets)) == (entry["points"], entry["tets"])
    assert mesh.volumes.sum() / 1e3 == pytest.approx(entry["volume_ml"], rel=1e-6)
    quality = element_quality(mesh.points, mesh.tets)
    assert quality.min() == pytest.approx(entry["min_quality"], abs=1e-6)
    assert quality.min() > 0.02
    assert np.percentile(quality, 1) > 0.3


@pytest.mark.parametrize("name", SACRA)
def test_sacrum_has_18_openings_into_one_cavity_and_is_symmetric(name):
    mesh = reference_mesh(name)
    assert genus(mesh.glued()[0]) == 17
    assert components(mesh).max() + 1 == (3 if "bilateral" in name else 1)
    image = mesh.points * [-1.0, 1.0, 1.0]
    # Split nodes coincide, so sorted rows are compared and not numbers.
    assert np.array_equal(_sorted(mesh.points), _sorted(image))
    names = {"endplate", "auricular_left", "auricular_right", "anterior", "posterior", "outer"}
    assert names <= set(mesh.face_sets)
    assert all(mesh.face_sets[key].any() for key in names)
    areas = [mesh.face_areas[mesh.face_sets[f"auricular_{side}"]].sum() for side in ("left", "right")]
    assert areas[0] == pytest.approx(areas[1], rel=1e-12)


@pytest.mark.parametrize("size", ["tiny", "coarse", "medium"])
def test_bilateral_fractures_are_paired_on_both_sides(size):
    mesh = reference_mesh(f"sacrum-{size}-bilateral")
    plus, minus = mesh.paired
    assert np.array_equal(mesh.points[mesh.faces[plus]], mesh.points[mesh.faces[minus]])
    areas = []
    for side, sign in (("left", 1.0), ("right", -1.0)):
        chosen = mesh.face_sets[f"fracture_zone1_{side}"] & (mesh.pair_side == 1)
        areas.append(mesh.face_areas[chosen].sum())
        assert (sign * mesh.face_normals[chosen, 0] > 0.5).all()
        assert (sign * mesh.centroids[mesh.face_owners[chosen], 0]).mean() > 30.0
    assert areas[0] == pytest.approx(areas[1], rel=1e-12)


def test_medium_mesh_measures_as_the_preset():
    solid = ParametricSacrum()
    wanted = solid.parameters
    measured = measure_sacrum(reference_mesh("sacrum-medium-intact"), solid.landmarks)
    for name in ("straight_length_mm", "ventral_arc_mm", "alar_breadth_mm", "endplate_transverse_mm", "endplate_ap_mm"):
        assert getattr(measured, name) == pytest.approx(getattr(wanted, name), rel=0.05), name
    for face in ("anterior", "posterior"):
        for extent in ("heights", "widths"):
            name = f"{face}_{extent}_mm"
            assert getattr(measured, name) == pytest.approx(getattr(wanted, name), rel=0.05, abs=0.5), name
    assert 150.0 < measured.volume_ml < 250.0


@pytest.mark.skipif(not BUILD.exists(), reason="only in a checkout")
def test_check_tells_a_changed_mesh_from_an_equal_one():
    spec = importlib.util.spec_from_file_location("build_meshes", BUILD)
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    sys.modules["build_meshes"] = build
    spec.loader.exec_module(build)
    old = MANIFEST["sacrum-tiny-intact"]
    assert build.differences("m", old, dict(old)) == []
    assert build.differences("m", old, {**old, "sha256": "0"}) == ["m: sha256 differs on the same platform"]
    elsewhere = {**old, "sha256": "0", "platform": "other", "tets": round(old["tets"] * 1.02)}
    assert build.differences("m", old, elsewhere) == []
    for key, factor in (("tets", 1.24), ("volume_ml", 1.003), ("min_quality", 0.4)):
        assert len(build.differences("m", old, {**elsewhere, key: old[key] * factor})) == 1, key
    assert len(build.differences("m", old, {**elsewhere, "genus": 18})) == 1


@pytest.mark.slow
@pytest.mark.skipif(not BUILD.exists(), reason="only in a checkout")
def test_meshes_can_be_built_again():
    # The medium ones take minutes more and the same way.
    run = subprocess.run(
        [sys.executable, str(BUILD), "--check", "--only", "coarse"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def _sorted(points: np.ndarray) -> np.ndarray:
    # Negative zeros would sort and compare as themselves.
    points = points + 0.0
    return points[np.lexsort(points.T)]
