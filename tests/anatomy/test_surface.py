"""Surfaces as they come: good ones become solids, faults are mended within bounds or refused by name."""

import numpy as np
import pytest
import trimesh

from sacrofem.anatomy.scan.surface import read_surface, surface_solid
from sacrofem.errors import InputError

# A bone-sized ellipsoid: reading knows sizes only.
AXES = np.array([50.0, 40.0, 45.0])


def ellipsoid(subdivisions=4):
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions)
    mesh.vertices = mesh.vertices * AXES
    return mesh


def written(path, mesh):
    mesh.export(path)
    return path


def saved(path, mesh):
    """Any format, VTP too."""
    if path.suffix == ".vtp":
        import pyvista

        pyvista.wrap(mesh).save(path)
        return path
    return written(path, mesh)


VOLUME_ML = 4 / 3 * np.pi * AXES.prod() / 1e3


@pytest.mark.parametrize("suffix", [".stl", ".ply", ".obj", ".off"])
def test_every_format_gives_the_same_solid(tmp_path, suffix):
    solid, checks, notes = surface_solid(read_surface(written(tmp_path / f"bone{suffix}", ellipsoid())), 2.0)
    assert solid.volume_mm3 / 1e3 == pytest.approx(VOLUME_ML, rel=0.01)
    assert checks.open_edges == 0
    assert checks.displacement_mm < 1.0
    assert notes == ()


def test_vtp_is_read(tmp_path):
    pyvista = pytest.importorskip("pyvista")
    pyvista.wrap(ellipsoid()).save(tmp_path / "bone.vtp")
    assert len(read_surface(tmp_path / "bone.vtp").faces) == len(ellipsoid().faces)


def test_units_are_asked_for_by_name(tmp_path):
    mesh = ellipsoid()
    mesh.vertices = mesh.vertices / 1e3
    path = written(tmp_path / "metres.stl", mesh)
    with pytest.raises(InputError, match=r'look like m: set anatomy.units = "m"'):
        read_surface(path)
    assert np.ptp(read_surface(path, "m").points, axis=0) == pytest.approx(2 * AXES, rel=1e-4)


@pytest.mark.parametrize(("factor", "words"), [(0.2, "look like cm"), (3.0, "cut away what is not sacrum")])
def test_sizes_that_no_sacrum_has(tmp_path, factor, words):
    mesh = ellipsoid(2)
    mesh.vertices = mesh.vertices * factor
    with pytest.raises(InputError, match=words):
        read_surface(written(tmp_path / "bone.stl", mesh))


def test_triangles_that_look_inward_are_turned(tmp_path):
    inverted = ellipsoid()
    inverted.faces = inverted.faces[:, ::-1]
    surface = read_surface(written(tmp_path / "in.ply", inverted))
    assert surface.notes == (
        f"all {len(inverted.faces)} triangles look inward, as after mirroring: are left and right swapped?",
    )
    some = ellipsoid(3)
    faces = some.faces.copy()
    faces[::3] = faces[::3, ::-1]
    mixed = trimesh.Trimesh(some.vertices, faces, process=False)
    solid, _, notes = surface_solid(read_surface(written(tmp_path / "mixed.ply", mixed)), 2.0)
    assert solid.volume_mm3 / 1e3 == pytest.approx(VOLUME_ML, rel=0.02)
    assert "looked inward" in notes[0]


@pytest.mark.parametrize("suffix", [".stl", ".ply", ".obj", ".off", ".vtp"])
def test_a_mirrored_surface_is_asked_about(tmp_path, suffix):
    """x became -x, and the triangles were not turned; with them turned nothing can be seen."""
    if suffix == ".vtp":
        pytest.importorskip("pyvista")
    mirrored = trimesh.Trimesh(ellipsoid(3).vertices * [-1.0, 1.0, 1.0], ellipsoid(3).faces, process=False)
    turned = trimesh.Trimesh(mirrored.vertices, mirrored.faces[:, ::-1], process=False)
    for mesh, asked in ((mirrored, True), (turned, False)):
        surface = read_surface(saved(tmp_path / f"bone{suffix}", mesh))
        assert any("are left and right swapped?" in note for note in surface.notes) == asked
        solid, _, _ = surface_solid(surface, 2.0)
        assert solid.volume_mm3 / 1e3 == pytest.approx(VOLUME_ML, rel=0.02)


@pytest.mark.parametrize("suffix", [".stl", ".ply", ".obj", ".vtp"])
@pytest.mark.parametrize("turned", [False, True])
def test_triangles_that_are_there_twice_count_once(tmp_path, suffix, turned):
    if suffix == ".vtp":
        pytest.importorskip("pyvista")
    once = ellipsoid(3)
    again = once.faces[:, ::-1] if turned else once.faces
    both = trimesh.Trimesh(once.vertices, np.vstack([once.faces, again]), process=False)
    surface = read_surface(saved(tmp_path / f"bone{suffix}", both))
    assert len(surface.faces) == len(once.faces)
    assert surface.notes == (f"{len(once.faces)} triangles that are there twice count once",)
    solid, checks, _ = surface_solid(surface, 2.0)
    assert solid.volume_mm3 / 1e3 == pytest.approx(VOLUME_ML, rel=0.02)
    assert checks.twice_ml == 0.0


def test_a_fin_keeps_both_its_sides(tmp_path):
    mesh = ellipsoid(3)
    tip = len(mesh.vertices)
    points = np.vstack([mesh.vertices, mesh.vertices[mesh.faces[0]].mean(axis=0) * 1.2])
    a, b, _ = mesh.faces[0]
    faces = np.vstack([mesh.faces, [[a, b, tip], [b, a, tip]]])
    surface = read_surface(saved(tmp_path / "fin.ply", trimesh.Trimesh(points, faces, process=False)))
    assert len(surface.faces) == len(faces)
    assert surface.notes == ()


@pytest.mark.parametrize("suffix", [".stl", ".ply", ".obj", ".off", ".vtp"])
@pytest.mark.parametrize("turned", [True, False], ids=["reversed", "not-reversed"])
def test_a_shell_is_refused(tmp_path, suffix, turned):
    """Cortex alone, 2 mm thick: on a lattice of 1.5 mm it would be a bone of a third of its volume."""
    if suffix == ".vtp":
        pytest.importorskip("pyvista")
    outer, inner = ellipsoid(3), ellipsoid(3)
    inner.vertices = inner.vertices * (1.0 - 2.0 / AXES)
    inner.faces = inner.faces[:, ::-1] if turned else inner.faces
    path = saved(tmp_path / f"shell{suffix}", trimesh.util.concatenate([outer, inner]))
    with pytest.raises(
        InputError, match=r"is hollow: inside its surface around 37\d\.\d ml another one encloses 32\d\.\d ml"
    ):
        surface_solid(read_surface(path))


def test_a_tetrahedron_is_a_surface(tmp_path):
    corners = [[0, 0, 0], [100, 0, 0], [0, 100, 0], [0, 0, 100]]
    path = saved(tmp_path / "tet.stl", trimesh.Trimesh(corners, [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))
    solid, checks, notes = surface_solid(read_surface(path))
    assert checks.triangles == 4
    assert solid.volume_mm3 == pytest.approx(1e6 / 6.0, rel=0.01)
    assert notes == ()
    one = saved(tmp_path / "one.stl", trimesh.Trimesh(corners, [[0, 2, 1]], process=False))
    with pytest.raises(InputError, match="holds 1 triangles of any area; give a closed surface"):
        read_surface(one)


def test_a_small_hole_is_closed_and_a_large_one_refused(tmp_path):
    mesh = ellipsoid()
    height = mesh.triangles_center[:, 2] / AXES[2]
    holed = trimesh.Trimesh(mesh.vertices, mesh.faces[height < 0.98], process=False)
    solid, checks, notes = surface_solid(read_surface(written(tmp_path / "hole.ply", holed)), 2.0)
    assert checks.open_edges > 0
    assert any("does not close" in note for note in notes)
    assert solid.volume_mm3 / 1e3 == pytest.approx(VOLUME_ML, rel=0.01)
    cup = trimesh.Trimesh(mesh.vertices, mesh.faces[height < 0.0], process=False)
    with pytest.raises(InputError, match=r"does not close|encloses no volume"):
        surface_solid(read_surface(written(tmp_path / "cup.ply", cup)), 2.0)


def test_crumbs_are_dropped_and_a_second_bone_is_refused(tmp_path):
    crumb = trimesh.creation.icosphere(subdivisions=2, radius=4.0)
    crumb.apply_translation([62.0, 0.0, 0.0])
    both = trimesh.util.concatenate([ellipsoid(3), crumb])
    _, checks, notes = surface_solid(read_surface(written(tmp_path / "crumb.ply", both)), 2.0)
    assert checks.pieces == 2
    assert checks.dropped_ml == pytest.approx(0.268, rel=0.2)
    assert "left out" in notes[0]
    bone = trimesh.creation.icosphere(subdivisions=3, radius=25.0)
    bone.apply_translation([80.0, 0.0, 0.0])
    with pytest.raises(InputError, match="several bones"):
        surface_solid(read_surface(written(tmp_path / "two.ply", trimesh.util.concatenate([ellipsoid(3), bone]))), 2.0)


def test_hollows_inside_are_filled(tmp_path):
    inner = trimesh.creation.icosphere(subdivisions=3, radius=12.0)
    inner.faces = inner.faces[:, ::-1]
    both = trimesh.util.concatenate([ellipsoid(3), inner])
    solid, checks, notes = surface_solid(read_surface(written(tmp_path / "hollow.ply", both)), 2.0)
    assert checks.filled_ml == pytest.approx(4 / 3 * np.pi * 12.0**3 / 1e3, rel=0.1)
    assert "hollows" in notes[0]
    assert solid.volume_mm3 / 1e3 == pytest.approx(VOLUME_ML, rel=0.02)


def test_a_surface_that_intersects_itself(tmp_path):
    nub = trimesh.creation.icosphere(subdivisions=3, radius=8.0)
    nub.apply_translation([52.0, 0.0, 0.0])
    _, checks, notes = surface_solid(
        read_surface(written(tmp_path / "nub.ply", trimesh.util.concatenate([ellipsoid(3), nub]))), 1.5
    )
    assert 0.0 < checks.twice_ml < 1.5
    assert any("intersects itself" in note for note in notes)
    other = ellipsoid(3)
    other.apply_translation([20.0, 0.0, 0.0])
    with pytest.raises(InputError, match="intersects itself"):
        surface_solid(read_surface(written(tmp_path / "two.ply", trimesh.util.concatenate([ellipsoid(3), other]))), 2.0)


def test_a_bone_that_is_too_large_is_named(tmp_path):
    mesh = trimesh.creation.box(extents=[110.0, 100.0, 90.0])
    with pytest.raises(InputError, match="is the ilium or L5 still attached"):
        surface_solid(read_surface(written(tmp_path / "box.stl", mesh)), 3.0)


def test_files_that_are_no_surfaces(tmp_path):
    path = written(tmp_path / "cut.stl", ellipsoid())
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match="cut short"):
        read_surface(path)
    (tmp_path / "text.ply").write_text("hello")
    with pytest.raises(InputError, match="not a readable surface"):
        read_surface(tmp_path / "text.ply")
    with pytest.raises(InputError, match="no such file"):
        read_surface(tmp_path / "nowhere.stl")
    points = ellipsoid(1)
    points.vertices[3, 1] = np.nan
    with pytest.raises(InputError, match=r"not finite|not a readable"):
        read_surface(written(tmp_path / "nan.ply", points))
