"""Every format written, read and solved gives the same energy; ten-node tets of every format keep their order."""

import meshio
import numpy as np
import pytest
from blocks_of_tets import split_box
from elasticity import at, faces_at, gap_of, held, system, traction_force

from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.files.files import read_mesh, write_mesh
from sacrofem.mesh.tetmesh import TetMesh

SIZE = (6.0, 5.0, 8.0)
SUFFIXES = [".vtu", ".vtk", ".msh", ".inp", ".bdf", ".mesh"]


def energy(mesh, order):
    """Of a block with a gap, moduli by its set of tets, loaded and held where its named faces are."""
    space = Space(mesh, order)
    youngs = np.where(mesh.tet_sets["stiff"], 900.0, 100.0)
    top = np.flatnonzero(mesh.face_sets["top"])
    force = traction_force(space, top, lambda x, n: np.array([0.02, 0.03, -0.2])[:, None, None] + 0 * x)
    base = np.zeros(space.n_nodes, bool)
    base[space.face_nodes[mesh.face_sets["base"]]] = True
    problem = system(
        space, youngs, np.full(len(youngs), 0.3), held(space, (base, [0, 1, 2])), gap=gap_of(space, 1.0, 0.4)
    )
    return float(np.sum(problem.solve(force).displacement * force))


@pytest.fixture(scope="module")
def block():
    mesh = split_box((2, 2, 2), SIZE, 4.0, 0.2)
    faces = {
        name: np.isin(np.arange(len(mesh.faces)), faces_at(mesh, 2, z)) for name, z in (("top", 8.0), ("base", 0.0))
    }
    turn = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
    named = mesh.with_sets(tet_sets={"stiff": mesh.centroids[:, 0] > 3.0}, face_sets=faces)
    return TetMesh(
        named.points @ turn.T / 3.0,
        named.tets,
        named.faces,
        named.tet_sets,
        named.face_sets,
        named.pair,
        named.pair_side,
    )


@pytest.fixture(scope="module")
def energies(block):
    return {order: energy(block, order) for order in (1, 2)}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_written_read_and_solved_is_the_same_energy(block, energies, tmp_path, suffix):
    write_mesh(tmp_path / f"a{suffix}", block)
    back = read_mesh(tmp_path / f"a{suffix}")
    for order, expected in energies.items():
        assert energy(back, order) == pytest.approx(expected, rel=1e-6 if suffix == ".bdf" else 1e-10)


@pytest.mark.parametrize("suffix", [".vtu", ".vtk", ".msh", ".inp", ".bdf"])
def test_ten_node_tets_of_every_format_keep_their_order(tmp_path, suffix):
    space = Space(split_box((2, 2, 2), SIZE, 4.0, 0.2), 2)
    # Coordinates that .bdf can hold.
    nodes = np.round(space.nodes, 3)
    nodes[space.connectivity[:, 4:]] = nodes[
        space.connectivity[:, [[0, 1], [1, 2], [0, 2], [0, 3], [1, 3], [2, 3]]]
    ].mean(axis=2)
    path = tmp_path / f"a{suffix}"
    options = {"file_format": "gmsh22"} if suffix == ".msh" else {}
    meshio.Mesh(nodes, [("tetra10", space.connectivity)]).write(path, **options)
    back = read_mesh(path)
    np.testing.assert_allclose(back.points, nodes[: len(back.points)], atol=1e-9)
    np.testing.assert_array_equal(back.tets, space.connectivity[:, :4])
    again = Space(back, 2)
    np.testing.assert_allclose(again.nodes[again.connectivity], nodes[space.connectivity], atol=1e-9)
    assert at(again, 2, 0.0).any()
