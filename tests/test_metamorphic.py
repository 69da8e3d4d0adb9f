"""What may not change a result, and what may change it in one direction only: the whole comparison on the tiny mesh.

Other numbers for nodes, tets and faces; the whole turned and carried away; a fracture and a region named in two
parts; a mesh refined once. The mirror image, twice the load and treatments that are none stand in
`tests/specimen/test_comparison.py`, the same on a block in `tests/verification/test_identities.py`.
"""

from dataclasses import replace

import numpy as np
import pytest
from elasticity import gap_of
from setups import compared, with_parts

from sacrofem import Case, Specimen
from sacrofem.mechanics.equilibrium.statics import Statics
from sacrofem.mechanics.linear.settings import SolverSettings
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.joint import ElasticLayer
from sacrofem.mechanics.parts.loads import NodalForces, Resultant, endplate_faces, load_vector
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.specimen.compare import compare_specimen

CASE = Case.preset("sif-bilateral").with_(**{"mesh.reference": "tiny", "mesh.order": 1, "solver.tolerance": 1e-12})
STATES = ("before", "after")


@pytest.fixture(scope="module")
def specimen() -> Specimen:
    """On a mesh that is handed over, as the changed ones are."""
    plain = Specimen(CASE)
    return Specimen(CASE, mesh=plain.mesh, landmarks=plain.landmarks)


@pytest.fixture(scope="module")
def comparison(specimen):
    return compare_specimen(specimen)


def same(a, b, relative, but=()):
    """All measures of both states, within a share of themselves (and what is zero by symmetry within 1e-9)."""
    for state in STATES:
        ours, theirs = getattr(a, state), getattr(b, state)
        for key in sorted(set(ours) - set(but)):
            value = ours[key]
            if value is None:
                assert theirs[key] is None, (state, key)
            else:
                assert theirs[key] == pytest.approx(value, rel=relative, abs=1e-9), (state, key)


def renumbered(mesh: TetMesh, seed=0) -> TetMesh:
    """Points, tets, faces and pairs shuffled, and the corners of every tet turned."""
    random = np.random.default_rng(seed)
    point, tet, face = (random.permutation(len(part)) for part in (mesh.points, mesh.tets, mesh.faces))
    number = np.argsort(point)
    turns = np.array([[0, 1, 2, 3], [1, 2, 0, 3], [1, 0, 3, 2], [3, 2, 1, 0]])[random.integers(4, size=len(tet))]
    pairs = np.concatenate([[0], 1 + random.permutation(mesh.pair.max())])
    return TetMesh(
        mesh.points[point],
        np.take_along_axis(number[mesh.tets[tet]], turns, axis=1),
        number[mesh.faces[face]],
        {name: members[tet] for name, members in mesh.tet_sets.items()},
        {name: members[face] for name, members in mesh.face_sets.items()},
        pairs[mesh.pair[face]],
        mesh.pair_side[face],
    )


def test_other_numbers(specimen, comparison):
    """1e-8: the sums run in another order."""
    other = Specimen(CASE, mesh=renumbered(specimen.mesh), landmarks=specimen.landmarks)
    assert not np.array_equal(other.mesh.points, specimen.mesh.points)
    same(comparison, compare_specimen(other), 1e-8)


def test_turned_and_carried_away(specimen, comparison):
    """1e-8, by any angle and over 1.3 m: the solver and the measures know no axes."""
    q, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    q *= np.sign(np.linalg.det(q))
    away = np.array([500.0, -300.0, 1200.0])
    mesh = replace(specimen.mesh, points=specimen.mesh.points @ q.T + away)
    space, resultant = Space(mesh, 1), specimen.loading.resultant
    resultant = Resultant(resultant.force @ q.T, resultant.point @ q.T + away, resultant.moment @ q.T)
    force = load_vector(space, endplate_faces(space), resultant)
    np.testing.assert_allclose(force, specimen.loading.force @ q.T, atol=1e-9)
    layer, bands = specimen.supports
    turned = with_parts(
        specimen,
        mesh=mesh,
        space=space,
        loading=replace(specimen.loading, resultant=resultant, force=force),
        supports=(layer, replace(bands, directions=bands.directions @ q.T)),
    )
    same(comparison, compared(turned, specimen.plan()), 1e-8)


def test_named_in_two_parts(specimen, comparison):
    """Pooled measures do not see how a fracture or a region is named (1e-12), and the parts make up the whole."""
    mesh = specimen.mesh
    high = mesh.points[mesh.faces].mean(axis=1)[:, 2] > -25.0
    left = mesh.face_sets["fracture_zone1_left"]
    sets = {name: members for name, members in mesh.face_sets.items() if name != "fracture_zone1_left"}
    sets |= {"fracture_upper": left & high, "fracture_lower": left & ~high}
    halves = {"front": mesh.centroids[:, 1] < 30.0, "rear": mesh.centroids[:, 1] >= 30.0}
    parted = TetMesh(mesh.points, mesh.tets, mesh.faces, halves, sets, mesh.pair, mesh.pair_side)
    result = compare_specimen(Specimen(CASE, mesh=parted, landmarks=specimen.landmarks))
    # The layers beside a fracture are fitted fracture by fracture.
    same(comparison, result, 1e-12, but=["fragment_motion_um"])
    areas = {part: mesh.face_areas[sets[f"fracture_{part}"]].sum() for part in ("upper", "lower")}
    assert min(areas.values()) > 0.2 * max(areas.values())
    for state in STATES:
        for key in ("micromotion_mean_um", "slip_mean_um", "opening_mean_um"):
            parts = sum(result.fractures[part][state][key] * area for part, area in areas.items())
            whole = comparison.fractures["zone1_left"][state][key]
            assert parts / sum(areas.values()) == pytest.approx(whole, rel=1e-10)


# ------------------------------------------------------------------ refinement
def refined(space: Space) -> tuple[TetMesh, np.ndarray]:
    """Every edge of a P2 space halved: eight tets in place of one, in order, four faces in place of one.

    Twins keep their own middles; the points of the coarse mesh come first.
    """
    mesh, n = space.mesh, space.connectivity
    tets = np.stack(
        [
            n[:, part]
            for part in (
                [0, 4, 6, 7], [4, 1, 5, 8], [6, 5, 2, 9], [7, 8, 9, 3],
                [4, 5, 6, 8], [4, 6, 7, 8], [6, 7, 8, 9], [5, 6, 8, 9],
            )
        ],
        axis=1,
    ).reshape(-1, 4)  # fmt: skip
    corners = space.nodes[tets]
    down = np.linalg.det(corners[:, 1:] - corners[:, :1]) < 0
    tets[down] = tets[down][:, [0, 2, 1, 3]]
    f = space.face_nodes
    faces = np.stack([f[:, part] for part in ([0, 3, 5], [3, 1, 4], [5, 4, 2], [3, 4, 5])], axis=1).reshape(-1, 3)
    child = np.arange(4 * len(mesh.faces)) % 4
    pair = np.repeat(mesh.pair, 4)
    return TetMesh(
        space.nodes,
        tets,
        faces,
        {name: np.repeat(members, 8) for name, members in mesh.tet_sets.items()},
        {name: np.repeat(members, 4) for name, members in mesh.face_sets.items()},
        np.where(pair > 0, 4 * (pair - 1) + child + 1, 0),
        np.repeat(mesh.pair_side, 4),
    )


def states(specimen: Specimen, space: Space, elements: int, faces: int, force):
    """Work f·u and mean jump before and after cement in the bone, with the data of each tet and face handed down."""
    layer, bands = specimen.supports
    layer = ElasticLayer(
        (faces * layer.faces[:, None] + np.arange(faces)).ravel(),
        np.repeat(layer.normal, faces),
        np.repeat(layer.tangential, faces),
    )
    shell = specimen.bone.cortex
    membrane = replace(shell, youngs=np.repeat(shell.youngs, faces), thickness=np.repeat(shell.thickness, faces))
    statics = Statics(space, [membrane, layer, bands, NodalForces(force)], SolverSettings(tolerance=1e-10))
    law = specimen.gap_law
    k_n, k_t = law.filler.stiffness(law.aperture_mm)
    gap = gap_of(space, k_n, k_t)
    found = {}
    treated = specimen.recipe(specimen.plan()).bone
    for name, bone in (("before", specimen.bone.elasticity), ("after", treated)):
        fine = Elasticity.given(np.repeat(bone.youngs, elements), np.repeat(bone.poisson, elements))
        u = statics.solve(name, fine, gap).state.displacement
        length = np.linalg.norm(space.jump(u), axis=2)
        found[name] = float(np.sum(force * u)), float((length * space.gap.areas).sum() / space.gap.areas.sum())
    return found


@pytest.mark.slow
def test_a_finer_mesh_is_softer(specimen):
    """Every edge halved, with the same law, moduli, load and springs: the finer space holds the coarse one.

    So the work of the load can only rise, before and after cement. Micromotion is bound by no such theorem: most of it
    is the rigid motion of the fragments on the filler, which the mesh hardly changes; it stays within 5 %.
    """
    coarse, fine = specimen.space, Space(refined(Space(specimen.mesh, 2)), 1)
    assert fine.mesh.volumes.min() > 0
    assert fine.mesh.volumes.sum() == pytest.approx(specimen.mesh.volumes.sum(), rel=1e-12)
    assert np.array_equal(*(fine.mesh.points[fine.mesh.faces[side]] for side in fine.mesh.paired))
    one, two = (
        states(specimen, space, *children, load_vector(space, endplate_faces(space), specimen.loading.resultant))
        for space, children in ((coarse, (1, 1)), (fine, (8, 4)))
    )
    for state in STATES:
        assert one[state][0] * (1 + 1e-3) < two[state][0], (one, two)
        assert two[state][1] == pytest.approx(one[state][1], rel=0.05), (one, two)
    for found in (one, two):
        assert found["after"][0] < found["before"][0]
