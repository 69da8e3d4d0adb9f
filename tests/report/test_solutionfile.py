"""Result files as other programs read them: the same numbers, cells that VTK knows, tensors that its filters take."""

import sys
import warnings

import meshio
import numpy as np
import pytest
import pyvista
from blocks_of_tets import box, split_box
from vtkmodules.vtkCommonCore import reference as vtkReference
from vtkmodules.vtkFiltersTensor import vtkYieldCriteria

from sacrofem import Case, compare, read_mesh
from sacrofem.errors import EnvironmentFailure
from sacrofem.mechanics.measures.grids import to_meshio, to_pyvista
from sacrofem.mechanics.measures.statefields import FIELDS, StateFields
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.mechanics.space.space import Space
from sacrofem.report.solutionfile import write_solution

SIZE = (6.0, 5.0, 8.0)
# xx, yy, zz, yz, xz, xy to VTK's xx, yy, zz, xy, yz, xz.
TO_VTK = [0, 1, 2, 5, 3, 4]


def named(mesh):
    high = mesh.centroids[:, 2] > 4.0
    return mesh.with_sets(
        {"high": high, "nothing": np.zeros(len(mesh.tets), bool)}, {"nowhere": np.zeros(len(mesh.faces), bool)}
    )


def solved(mesh, order=2, displacement=None):
    space, rng = Space(mesh, order), np.random.default_rng(5)
    m, q = len(mesh.tets), space.gap.areas.shape
    return StateFields(
        space,
        1e-2 * rng.normal(size=(space.n_nodes, 3)) if displacement is None else displacement(space.nodes),
        rng.uniform(10.0, 1000.0, m),
        np.full(m, 0.3),
        density=rng.uniform(0.1, 0.4, m),
        cement_fraction=rng.uniform(size=m),
        gap_stiffness=GapStiffness(rng.uniform(1.0, 5.0, q), rng.uniform(1.0, 5.0, q)) if q[0] else None,
        coverage=rng.uniform(size=q),
        cortex_thickness=np.where(mesh.pair_side == 0, 0.7, 0.0),
    )


def expected(fields, name):
    """What stands on tets, faces or nodes, computed anew."""
    mesh, values = fields.space.mesh, fields[name]
    if FIELDS[name].place == "gap":
        areas = fields.space.gap.areas
        values = (values.T * areas.T).sum(axis=-2).T / areas.sum(axis=1).reshape(-1, *[1] * (values.ndim - 2))
        on_faces = np.full((len(mesh.faces), *values.shape[1:]), np.nan)
        for side in mesh.paired:
            on_faces[side] = values
        return on_faces
    if FIELDS[name].components == 6:
        values = values[:, TO_VTK] * ([1, 1, 1, 0.5, 0.5, 0.5] if name == "strain" else [1] * 6)
    return values


@pytest.fixture(scope="module")
def fields():
    return solved(named(split_box((2, 2, 4), SIZE, 4.0, 0.2)))


@pytest.fixture(scope="module")
def file(fields, tmp_path_factory):
    path = tmp_path_factory.mktemp("solution") / "after.vtu"
    write_solution(path, fields)
    return path


def test_meshio_reads_every_field(fields, file):
    space, content = fields.space, meshio.read(file)
    assert [block.type for block in content.cells] == ["tetra10", "triangle6"]
    assert np.array_equal(content.points, space.nodes)
    assert np.array_equal(content.cells[0].data, space.connectivity)
    assert np.array_equal(content.cells[1].data, space.face_nodes)
    assert fields.names == tuple(FIELDS)
    for name, field in FIELDS.items():
        wanted = expected(fields, name)
        if field.place == "node":
            assert np.array_equal(content.point_data[name], wanted)
            continue
        tets, faces = content.cell_data[name]
        here, elsewhere = (tets, faces) if field.place == "tet" else (faces, tets)
        np.testing.assert_allclose(here, wanted, rtol=1e-12, atol=1e-15)
        assert np.isnan(elsewhere).all()
        assert elsewhere.shape[1:] == here.shape[1:]


def test_pyvista_reads_the_same_and_is_handed_the_same(fields, file):
    content = meshio.read(file)
    for grid in (pyvista.read(file), to_pyvista(fields)):
        assert np.array_equal(grid.points, content.points)
        m = len(fields.modulus)
        assert (grid.celltypes[:m] == pyvista.CellType.QUADRATIC_TETRA).all()
        assert (grid.celltypes[m:] == pyvista.CellType.QUADRATIC_TRIANGLE).all()
        assert set(grid.cell_data) == set(content.cell_data)
        assert np.array_equal(grid.point_data["displacement"], fields.displacement)
        for name, blocks in content.cell_data.items():
            assert np.array_equal(grid.cell_data[name], np.concatenate(blocks), equal_nan=True)
        sizes = grid.compute_cell_sizes(length=False)
        np.testing.assert_allclose(sizes["Volume"][:m], fields.space.mesh.volumes, rtol=1e-9)
        np.testing.assert_allclose(sizes["Area"][m:], fields.space.mesh.face_areas, rtol=1e-9)


def test_sets_and_pairs_stand_only_where_they_have_members(fields, file):
    content, mesh = meshio.read(file), fields.space.mesh
    sets = {name for name in content.cell_data if name.startswith("set:")}
    assert sets == {"set:high", "set:outer", "set:fracture_plane"}
    assert np.array_equal(content.cell_data["set:high"][0], mesh.tet_sets["high"])
    assert np.array_equal(content.cell_data["set:outer"][1], mesh.face_sets["outer"])
    assert np.array_equal(content.cell_data["pair"][1], mesh.pair)
    assert np.array_equal(content.cell_data["pair_side"][1], mesh.pair_side)
    sound = to_meshio(solved(box((2, 2, 2), SIZE)))
    assert not {"pair", "pair_side", "jump", "traction", "coverage"} & set(sound.cell_data)
    assert "von_mises" in sound.cell_data


def test_a_result_is_a_mesh_of_ones_own_too(fields, file):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mesh = read_mesh(file)
    mine = fields.space.mesh
    for name in ("points", "tets", "faces", "pair", "pair_side"):
        assert np.array_equal(getattr(mesh, name), getattr(mine, name))
    assert set(mesh.tet_sets) == {"high"}
    assert set(mesh.face_sets) == {"outer", "fracture_plane"}


def test_a_preview_has_linear_cells(tmp_path):
    fields = solved(split_box((2, 2, 2), SIZE, 4.0), order=1)
    write_solution(tmp_path / "a.vtu", fields)
    content = meshio.read(tmp_path / "a.vtu")
    assert [block.type for block in content.cells] == ["tetra", "triangle"]
    assert np.array_equal(content.point_data["displacement"], fields.displacement)
    np.testing.assert_allclose(content.cell_data["traction"][1], expected(fields, "traction"), rtol=1e-12)


def test_vtk_interpolates_the_displacement_as_it_was_solved():
    """The weights of VTK's own quadratic tets give what `at` gives: nodes stand in its order."""
    fields = solved(box((3, 2, 3), SIZE, 0.2))
    grid, rng = to_pyvista(fields), np.random.default_rng(6)
    for tet in rng.integers(len(fields.modulus), size=50):
        cell, place, weights = grid.GetCell(tet), [0.0] * 3, [0.0] * 10
        cell.EvaluateLocation(vtkReference(0), rng.dirichlet(np.ones(4))[:3], place, weights)
        nodes = [cell.GetPointId(k) for k in range(10)]
        wanted = weights @ np.asarray(grid.point_data["displacement"])[nodes]
        np.testing.assert_allclose(fields.at(place, "displacement"), wanted, atol=1e-14)


def test_filters_of_vtk_take_the_tensors():
    """Where strain is the same all over a tet, the yield criterion of VTK is our von Mises stress."""
    gradient = np.random.default_rng(7).uniform(-1e-3, 1e-3, (3, 3))
    fields = solved(split_box((2, 2, 2), SIZE, 4.0), displacement=lambda x: x @ gradient.T)
    grid = to_pyvista(fields)
    bone = grid.extract_cells(grid.celltypes == pyvista.CellType.QUADRATIC_TETRA)
    for name, principal in (("stress", fields.bone.principal_stress), ("strain", fields.bone.principal_strain)):
        criteria = vtkYieldCriteria()
        criteria.SetInputDataObject(bone)
        criteria.SetInputArrayToProcess(0, 0, 0, 1, name)
        criteria.Update()
        found = pyvista.wrap(criteria.GetOutput()).cell_data
        for k in range(3):
            np.testing.assert_allclose(found[f"{name} - Sigma {k + 1}"], principal[:, 2 - k], rtol=1e-6)
        if name == "stress":
            np.testing.assert_allclose(found["stress - Von Mises Criterion"], fields.bone.von_mises, rtol=1e-6)


def test_without_pyvista_the_mend_is_named(fields, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvista", None)
    with pytest.raises(EnvironmentFailure, match=r"pip install 'sacrofem\[view\]'"):
        to_pyvista(fields)


def test_an_unwritable_place_is_the_environment(fields, tmp_path):
    with pytest.raises(EnvironmentFailure, match=r"away/after\.vtu: cannot be written"):
        write_solution(tmp_path / "away" / "after.vtu", fields)


@pytest.mark.slow
def test_a_solved_case_measures_what_its_file_shows(tmp_path):
    result = compare(Case.preset("sif-unilateral").with_(mesh__reference="tiny", mesh__order=1), intact=True)
    for name, values in (("intact", result.intact), ("before", result.before), ("after", result.after)):
        write_solution(tmp_path / f"{name}.vtu", result.solutions[name].fields)
        content, mesh = meshio.read(tmp_path / f"{name}.vtu"), read_mesh(tmp_path / f"{name}.vtu")
        plus, _ = mesh.paired
        area = mesh.face_areas[plus]
        for field in ("micromotion", "opening", "closing", "slip"):
            mean = 1e3 * content.cell_data[field][1][plus] @ area / area.sum()
            assert mean == pytest.approx(values[f"{field}_mean_um"], rel=1e-9, abs=1e-12)
        assert ("traction" in content.cell_data) == (name != "intact")
        assert np.array_equal(content.point_data["displacement"], result.solutions[name].displacement)
        assert content.cell_data["cement_fraction"][0].any() == (name == "after")
