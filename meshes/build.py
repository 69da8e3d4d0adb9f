"""Build the reference meshes and their manifest, or check that they can be built again.

python meshes/build.py                  all meshes, here
python meshes/build.py --only tiny      those whose name holds the word
python meshes/build.py --check          build into a temporary folder and compare with the manifest
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import sys
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum
from sacrofem.mesh.files.files import read_mesh, write_mesh
from sacrofem.mesh.labels import label_faces
from sacrofem.mesh.make.body import SizeRegion, lattice, mesh_half
from sacrofem.mesh.make.fracture import cut
from sacrofem.mesh.make.surfaces import FractureSurface, fracture_surfaces
from sacrofem.mesh.quality import check_mesh, element_quality, genus
from sacrofem.mesh.split import inner_faces, mirror_and_join, split
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray
from sacrofem.system.files import replace_file

HERE = Path(__file__).resolve().parent
LICENCE = "BSD-3-Clause"
# Meshing goes on until the worst tet is good enough: another last bit may mean one pass more, and fewer tets.
COUNT_TOLERANCE, VOLUME_TOLERANCE, QUALITY_TOLERANCE = 0.2, 0.002, 0.5


@dataclass(frozen=True)
class Recipe:
    """Sizes in mm of one sacrum mesh, intact and fractured; at the fracture as it is before the cut."""

    size_mm: float
    hausdorff_mm: float
    fracture_size_mm: float


RECIPES = {
    "tiny": Recipe(size_mm=9.0, hausdorff_mm=1.5, fracture_size_mm=5.0),
    "coarse": Recipe(size_mm=6.5, hausdorff_mm=0.6, fracture_size_mm=3.0),
    "medium": Recipe(size_mm=3.8, hausdorff_mm=0.25, fracture_size_mm=1.9),
}


def labelled(half: TetMesh, solid: ParametricSacrum) -> TetMesh:
    return label_faces(mirror_and_join(half), solid.landmarks, auricular_outline=solid.auricular_distance)


def intact(recipe: Recipe) -> TetMesh:
    solid = ParametricSacrum()
    return labelled(mesh_half(solid, size_mm=recipe.size_mm, hausdorff_mm=recipe.hausdorff_mm), solid)


def bilateral(recipe: Recipe) -> TetMesh:
    solid = ParametricSacrum()
    surfaces = fracture_surfaces("zone1", "left", solid.landmarks)
    regions = [SizeRegion(partial(distance_to, s), recipe.fracture_size_mm, gradation=0.7) for s in surfaces]
    half = mesh_half(solid, size_mm=recipe.size_mm, hausdorff_mm=recipe.hausdorff_mm, regions=regions)
    return labelled(cut(half, surfaces), solid)


def distance_to(surface: FractureSurface, points: FloatArray) -> FloatArray:
    return np.abs(surface.level(points)) - 1.0


def block() -> TetMesh:
    """A block of 20 x 20 x 40 mm in cubes of 4 mm, broken across at z = 20 mm."""
    points, tets = lattice(np.array([[4.0, 4.0, 4.0], [16.0, 16.0, 36.0]]), 4.0, False)
    mesh = TetMesh.from_tets(points, tets)
    z = mesh.points[mesh.faces, 2]
    sets = {"outer": np.ones(len(z), bool), "bottom": (z == 0.0).all(axis=1), "top": (z == 40.0).all(axis=1)}
    mesh = mesh.with_sets(face_sets=sets)
    faces, beside = inner_faces(mesh)
    gap = (mesh.points[faces, 2] == 20.0).all(axis=1)
    upwards = mesh.centroids[beside[gap, 1], 2] > 20.0
    return split(mesh, {"gap": np.where(upwards[:, None], faces[gap], faces[gap][:, [0, 2, 1]])})


def build(folder: Path, only: str = "") -> dict[str, dict[str, object]]:
    """Write the meshes to a folder; their entries in the manifest."""
    jobs: dict[str, tuple[Callable[[], TetMesh], str]] = {"block-gap": (block, "block()")}
    for make in (intact, bilateral):
        for name, recipe in RECIPES.items():
            jobs[f"sacrum-{name}-{make.__name__}"] = (partial(make, recipe), f"{make.__name__}({recipe})")
    entries = {}
    for name, (job, made) in jobs.items():
        if only not in name:
            continue
        mesh = job()
        check_mesh(mesh, name)
        path = folder / f"{name}.vtu"
        write_mesh(path, mesh)
        entries[name] = entry(path, made)
        print(name, entries[name])
    return entries


def entry(path: Path, made: str) -> dict[str, object]:
    import mmgpy

    mesh = read_mesh(path)
    return {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "points": len(mesh.points),
        "tets": len(mesh.tets),
        "pairs": int(np.count_nonzero(mesh.pair_side == 1)),
        "volume_ml": round(float(mesh.volumes.sum()) / 1e3, 6),
        "min_quality": round(float(element_quality(mesh.points, mesh.tets).min()), 6),
        "genus": genus(mesh.glued()[0]),
        "mmg": mmgpy.MMG_VERSION,
        "platform": f"{platform.system()}-{platform.machine()}",
        "numpy": np.__version__,
        "simd": " ".join(np.show_config(mode="dicts")["SIMD Extensions"]["found"]),
        "made": made,
        "licence": LICENCE,
    }


def write_manifest(entries: dict[str, dict[str, object]]) -> None:
    lines = ["# Written by meshes/build.py; volume and quality as read back from the file.", "schema = 1"]
    for name in sorted(entries):
        lines += ["", f"[{name}]"]
        for key, value in entries[name].items():
            lines.append(f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}")
    replace_file(HERE / "manifest.toml", "\n".join(lines) + "\n")


def read_manifest() -> dict[str, dict[str, object]]:
    path = HERE / "manifest.toml"
    if not path.exists():
        return {}
    return {key: value for key, value in tomllib.loads(path.read_text(encoding="utf-8")).items() if key != "schema"}


def differences(name: str, old: dict[str, object], new: dict[str, object]) -> list[str]:
    """What differs beyond tolerance; bytes count where Mmg, numpy and the processor's vectors are the manifest's."""
    # numpy's exp and cos differ in the last bit between vector units, and Mmg makes another mesh of that.
    if all(old.get(key) == new.get(key) for key in ("mmg", "platform", "numpy", "simd")):
        return [] if old["sha256"] == new["sha256"] else [f"{name}: sha256 differs on the same platform"]
    found = []
    for key, tolerance in (
        ("points", COUNT_TOLERANCE),
        ("tets", COUNT_TOLERANCE),
        ("pairs", COUNT_TOLERANCE),
        ("volume_ml", VOLUME_TOLERANCE),
    ):
        a, b = float(str(old[key])), float(str(new[key]))
        if abs(a - b) > tolerance * abs(a):
            found.append(f"{name}: {key} {b:g} instead of {a:g}")
    if float(str(new["min_quality"])) < QUALITY_TOLERANCE * float(str(old["min_quality"])):
        found.append(f"{name}: min_quality {new['min_quality']} instead of {old['min_quality']}")
    if old["genus"] != new["genus"]:
        found.append(f"{name}: genus {new['genus']} instead of {old['genus']}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the manifest, write nothing")
    parser.add_argument("--only", default="", metavar="WORD", help="only meshes whose name holds WORD")
    options = parser.parse_args()
    manifest = read_manifest()
    if not options.check:
        write_manifest({**manifest, **build(HERE, options.only)})
        return 0
    with tempfile.TemporaryDirectory() as folder:
        entries = build(Path(folder), options.only)
    found = [line for name, new in entries.items() for line in differences(name, manifest[name], new)]
    print("\n".join(found) or f"{len(entries)} meshes as in the manifest")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
