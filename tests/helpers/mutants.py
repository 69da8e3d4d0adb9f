"""Files of every format that is read, damaged at random.

A file of every format is made, changed by one of eleven kinds of damage, and read as the package reads it.
"""

from __future__ import annotations

import re
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import voxels
from alone import Found, alone
from blocks_of_tets import box

BLOCK = box((2, 2, 2), (80.0, 60.0, 90.0))


# ------------------------------------------------------------------ sound files
def surfaces(folder: Path) -> Iterator[Path]:
    import trimesh

    ball = trimesh.creation.icosphere(2, 42.0)
    for name in ("bone.stl", "bone.ply", "bone.obj", "bone.off"):
        ball.export(folder / name)
        yield folder / name
    (folder / "ascii.stl").write_text(trimesh.exchange.stl.export_stl_ascii(ball))
    yield folder / "ascii.stl"
    try:
        import pyvista
    except ImportError:
        return
    pyvista.wrap(ball).save(folder / "bone.vtp")
    yield folder / "bone.vtp"


def meshes(folder: Path) -> Iterator[Path]:
    import meshio

    from sacrofem.mesh.files.files import write_mesh

    for suffix in ("vtu", "vtk", "msh", "inp", "bdf", "mesh"):
        write_mesh(folder / f"bone.{suffix}", BLOCK)
        yield folder / f"bone.{suffix}"
    tets = meshio.Mesh(BLOCK.points, [("tetra", BLOCK.tets)])
    for name, binary in (("ascii-4.1.msh", False), ("binary-4.1.msh", True)):
        meshio.gmsh.write(str(folder / name), tets, fmt_version="4.1", binary=binary)
        yield folder / name


def images(folder: Path) -> Iterator[Path]:
    values = np.random.default_rng(4).normal(100, 60, (10, 12, 14)).astype(np.int16)
    affine = np.diag([0.9, 0.8, 1.2, 1.0])
    for kind in (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd", ".nhdr"):
        yield voxels.write(kind, folder, "ct", values, affine)
    yield folder / "ct.raw"
    yield voxels.write("dicom", folder, "series", values, affine)


def texts(folder: Path) -> Iterator[Path]:
    import json

    from sacrofem.anatomy.builtin.sacrum import ParametricSacrum
    from sacrofem.anatomy.landmarkfile import landmarks_to_dict

    (folder / "landmarks.json").write_text(json.dumps(landmarks_to_dict(ParametricSacrum().landmarks)))
    yield folder / "landmarks.json"
    rows = "".join(f"{n},{300 + n}\n" for n in range(len(BLOCK.tets)))
    (folder / "moduli.csv").write_text("element,youngs_mpa\n" + rows)
    yield folder / "moduli.csv"


def sound(folder: Path) -> dict[str, Path]:
    """A sound file (or folder) of each format, by its name."""
    found = {}
    for make in (surfaces, meshes, images, texts):
        for path in make(folder):
            found[path.name] = path
    return found


# ------------------------------------------------------------------ reading
def read(path: Path) -> object:
    """What the package makes of a file by its name."""
    from sacrofem import read_mesh
    from sacrofem.anatomy.landmarkfile import read_landmarks
    from sacrofem.anatomy.scan.surface import read_surface, surface_solid
    from sacrofem.anatomy.scan.surfacefile import SURFACE_SUFFIXES
    from sacrofem.bone.images.read import SUFFIXES, read_ct
    from sacrofem.bone.moduli import read_moduli

    if path.suffix in SURFACE_SUFFIXES:
        return surface_solid(read_surface(path), 6.0)
    if path.suffix == ".json":
        return read_landmarks(path)
    if path.suffix == ".csv":
        return read_moduli(path, len(BLOCK.tets))
    if path.is_dir() or path.name.endswith(SUFFIXES):
        return read_ct(path)
    return read_mesh(path)


def refused_or_read(path: Path) -> int:
    """Exit status of reading a file, as the command line has it."""
    from sacrofem.errors import SacrofemError

    try:
        read(path)
    except SacrofemError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_status
    return 0


# ------------------------------------------------------------------ damage
HOSTILE = (b"1e300", b"-1", b"nan", b"inf", b"99999999999", b"0", b"1e-300", b"-2147483649", b"\xc2\xb2", b"")


def flipped(content: bytearray, rng: np.random.Generator) -> None:
    for place in rng.integers(0, len(content), rng.integers(1, 20)):
        content[place] ^= 1 << int(rng.integers(8))


def truncated(content: bytearray, rng: np.random.Generator) -> None:
    del content[int(rng.integers(0, len(content))) :]


def piece_removed(content: bytearray, rng: np.random.Generator) -> None:
    place = int(rng.integers(0, len(content)))
    del content[place : place + int(rng.integers(1, 200))]


def piece_doubled(content: bytearray, rng: np.random.Generator) -> None:
    place = int(rng.integers(0, len(content)))
    content[place:place] = content[place : place + int(rng.integers(1, 200))]


def noise(content: bytearray, rng: np.random.Generator) -> None:
    place = int(rng.integers(0, len(content)))
    content[place : place + 40] = rng.bytes(40)


def number_replaced(content: bytearray, rng: np.random.Generator) -> None:
    found = list(re.finditer(rb"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", content[:20000]))
    if found:
        chosen = found[int(rng.integers(len(found)))]
        content[chosen.start() : chosen.end()] = HOSTILE[int(rng.integers(len(HOSTILE)))]


def header_number_replaced(content: bytearray, rng: np.random.Generator) -> None:
    found = list(re.finditer(rb"-?\d+(?:\.\d+)?", content[:600]))
    if found:
        chosen = found[int(rng.integers(len(found)))]
        content[chosen.start() : chosen.end()] = HOSTILE[int(rng.integers(len(HOSTILE)))]


def header_words_overwritten(content: bytearray, rng: np.random.Generator) -> None:
    place = 4 * int(rng.integers(0, min(len(content), 352) // 4 or 1))
    value = (0, -1, 2**31 - 1, -(2**31), 1)[int(rng.integers(5))]
    content[place : place + 4] = struct.pack("<i", value)


def lines_shuffled(content: bytearray, rng: np.random.Generator) -> None:
    lines = bytes(content).split(b"\n")
    a, b = rng.integers(0, min(len(lines), 60), 2)
    lines[a], lines[b] = lines[b], lines[a]
    content[:] = b"\n".join(lines)


def line_removed(content: bytearray, rng: np.random.Generator) -> None:
    lines = bytes(content).split(b"\n")
    del lines[int(rng.integers(0, min(len(lines), 60)))]
    content[:] = b"\n".join(lines)


def nul_and_escape(content: bytearray, rng: np.random.Generator) -> None:
    place = int(rng.integers(0, len(content)))
    content[place:place] = b"\x00\x1b[31m"


DAMAGE: tuple[Callable[[bytearray, np.random.Generator], None], ...] = (
    flipped, truncated, piece_removed, piece_doubled, noise, number_replaced, header_number_replaced,
    header_words_overwritten, lines_shuffled, line_removed, nul_and_escape,
)  # fmt: skip


def damaged(content: bytes, *seed: int) -> tuple[str, bytes]:
    """What was done to a content, and what came of it."""
    rng = np.random.default_rng(seed)
    damage = DAMAGE[int(rng.integers(len(DAMAGE)))]
    changed = bytearray(content)
    damage(changed, rng)
    return damage.__name__, bytes(changed)


def mutants(folder: Path, count: int, seed: int) -> Iterator[tuple[str, str, Found]]:
    """Read ``count`` mutants of each format: format, number and damage, what became of it."""
    for name, path in sound(Path(folder)).items():
        target = path if path.is_file() else sorted(path.iterdir())[0]
        content = target.read_bytes()
        # A detached file of voxels is read through its header.
        asked = path.with_suffix(".mhd") if path.suffix == ".raw" else path
        found = alone(partial(refused_or_read, asked))
        if found.status:
            raise AssertionError(f"{name} is refused as it is: {found.said}")
        for number in range(1, count + 1):
            kind, changed = damaged(content, seed, zlib.crc32(name.encode()), number)
            target.write_bytes(changed)
            yield name, f"{number} {kind}", alone(partial(refused_or_read, asked))
        target.write_bytes(content)
