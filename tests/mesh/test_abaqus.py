"""Input files of Abaqus and CalculiX as programs write them: every way to name a face gives the same faces."""

import numpy as np
import pytest
from blocks_of_tets import box

from sacrofem.errors import InputError
from sacrofem.mesh.files.files import read_mesh
from sacrofem.mesh.tetmesh import TET_EDGES

BLOCK = box((2, 2, 2), (4.0, 4.0, 6.0))
TOP = np.isclose(BLOCK.points[BLOCK.faces][..., 2], BLOCK.points[:, 2].max()).all(axis=1)
# Sides S1 to S4 of a tet as the manuals write them, from 1.
MANUAL = {"S1": (1, 2, 3), "S2": (1, 4, 2), "S3": (2, 4, 3), "S4": (3, 4, 1)}
TOP_NODES = np.unique(BLOCK.faces[TOP]) + 1


def sides_of(faces):
    """Tet (from 1) and side of every face."""
    wanted = {frozenset(face) for face in faces.tolist()}
    return [
        (number, side)
        for number, tet in enumerate(BLOCK.tets, 1)
        for side, corners in MANUAL.items()
        if frozenset(tet[k - 1] for k in corners) in wanted
    ]


SIDES = sides_of(BLOCK.faces[TOP])


def nodes(first=1):
    return [f"{n}, {x}, {y}, {z}" for n, (x, y, z) in enumerate(BLOCK.points, first)]


def elements(offset=1):
    return [f"{n}, {', '.join(map(str, tet + offset))}" for n, tet in enumerate(BLOCK.tets, 1)]


FLAT = ["*NODE, NSET=NALL", *nodes(), "*ELEMENT, TYPE=C3D4, ELSET=EALL", *elements()]
INTERNAL = [
    line
    for side in MANUAL
    for line in (f"*Elset, elset=_top_{side}, internal", ", ".join(str(n) for n, s in SIDES if s == side))
]


def read(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return read_mesh(path)


NAMED = {
    "node-set": ["*NSET, NSET=top", ", ".join(map(str, TOP_NODES))],
    "node-set-in-lines": ["*Nset, nset=top", *(f"{n}," for n in TOP_NODES)],
    "node-set-of-sets": [
        "*NSET, NSET=half", ", ".join(map(str, TOP_NODES[:4])), "*NSET, NSET=top",
        "half, " + ", ".join(map(str, TOP_NODES[4:])),
    ],
    "node-range": ["*NSET, NSET=top, GENERATE", f"{TOP_NODES[0]}, {TOP_NODES[-1]}, {TOP_NODES[1] - TOP_NODES[0]}"],
    "sides": ["*SURFACE, NAME=top, TYPE=ELEMENT", *(f"{n}, {side}" for n, side in SIDES)],
    "sides-by-default": ["*Surface, name=top", *(f"{n}, {side.lower()}" for n, side in SIDES)],
    "sides-of-sets": [*INTERNAL, "*Surface, type=ELEMENT, name=top", *(f"_top_{side}, {side}" for side in MANUAL)],
    "node-surface": ["*NSET, NSET=n", ", ".join(map(str, TOP_NODES)), "*SURFACE, TYPE=NODE, NAME=top", "n, 1.0"],
    "union": [
        "*SURFACE, NAME=a", *(f"{n}, {side}" for n, side in SIDES[:3]),
        "*SURFACE, NAME=b", *(f"{n}, {side}" for n, side in SIDES[3:]),
        "*SURFACE, NAME=top, COMBINE=UNION", "a, b",
    ],
    "keyword-in-two-lines": ["*SURFACE, NAME=top,", "TYPE=ELEMENT", *(f"{n}, {side}" for n, side in SIDES)],
    "triangles": [
        "*ELEMENT, TYPE=S3, ELSET=top",
        *(f"{900 + k}, {a}, {b}, {c}" for k, (a, b, c) in enumerate(BLOCK.faces[TOP] + 1)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_every_way_to_name_a_face_gives_the_same(tmp_path, name):
    mesh = read(tmp_path / "bone.inp", [*FLAT, *NAMED[name]])
    np.testing.assert_array_equal(mesh.points, BLOCK.points)
    np.testing.assert_array_equal(mesh.faces, BLOCK.faces)
    np.testing.assert_array_equal(mesh.face_sets["top"], TOP)
    assert mesh.tet_sets["EALL"].all()
    assert not any(other.startswith("_") for other in mesh.face_sets)


def test_elements_without_a_side_give_their_outer_faces(tmp_path):
    mesh = read(tmp_path / "bone.inp", [*FLAT, "*SURFACE, NAME=skin", "eall,"])
    assert mesh.face_sets["skin"].all()


def test_a_surface_counts_before_nodes_of_its_name(tmp_path):
    """Nodes around an edge hold faces beside it, a surface says which are meant."""
    mesh = read(tmp_path / "bone.inp", [*FLAT, "*NSET, NSET=top", "NALL", *NAMED["sides"]])
    np.testing.assert_array_equal(mesh.face_sets["top"], TOP)


def test_middles_tell_faces_beside_an_edge_apart(tmp_path):
    """A set of ten-node tets that holds middles holds those of its faces."""
    ends = np.sort(BLOCK.tets[:, TET_EDGES], axis=2)
    edges, number = np.unique(ends.reshape(-1, 2), axis=0, return_inverse=True)
    points = np.vstack([BLOCK.points, BLOCK.points[edges].mean(axis=1)])
    tets = np.column_stack([BLOCK.tets, number.reshape(-1, 6) + len(BLOCK.points)]) + 1
    lines = ["*NODE", *(f"{n}, {x}, {y}, {z}" for n, (x, y, z) in enumerate(points, 1)), "*ELEMENT, TYPE=C3D10M"]
    for n, tet in enumerate(tets, 1):
        # Over two lines, as these files are written.
        lines += [f"{n}, {', '.join(map(str, tet[:8]))},", ", ".join(map(str, tet[8:]))]
    top = np.flatnonzero(np.isclose(points[:, 2], points[:, 2].max())) + 1
    mesh = read(tmp_path / "bone.inp", [*lines, "*NSET, NSET=top", ", ".join(map(str, top))])
    np.testing.assert_array_equal(mesh.face_sets["top"], TOP)
    by_side = read(tmp_path / "side.inp", [*lines, *NAMED["sides"]])
    np.testing.assert_array_equal(by_side.face_sets["top"], TOP)


PART = ["*Part, name=Bone", "*Node", *nodes(), "*Element, type=C3D4", *elements(), *NAMED["sides"], "*End Part"]
ASSEMBLY = ["*Assembly, name=Assembly"]
END = ["*End Instance", *NAMED["node-set"], "*End Assembly"]


@pytest.mark.parametrize(
    ("place", "moved"),
    [
        ([], lambda x: x),
        (["10., 0., -2.5"], lambda x: x + np.array([10.0, 0.0, -2.5])),
        # A quarter turn about an axis along z through (1, 0, 0), after the shift.
        (["10., 0., 0.", "1., 0., 0., 1., 0., 1., 90."], lambda x: np.stack([1 - x[:, 1], x[:, 0] + 9, x[:, 2]], 1)),
    ],
    ids=["as-it-is", "shifted", "turned"],
)
def test_an_instance_is_moved_as_it_says(tmp_path, place, moved):
    assembly = [*ASSEMBLY, "*Instance, name=Bone-1, part=bone", *place, "*End Instance"]
    held = ["*Nset, nset=held, instance=Bone-1", ", ".join(map(str, TOP_NODES)), "*Surface, type=NODE, name=by-name"]
    mesh = read(tmp_path / "bone.inp", [*PART, *assembly, *held, "Bone-1.1", "held", "*End Assembly"])
    np.testing.assert_allclose(mesh.points, moved(BLOCK.points), atol=1e-12)
    for name in ("top", "held", "by-name"):
        np.testing.assert_array_equal(mesh.face_sets[name], TOP, err_msg=name)


def test_two_instances_of_one_part(tmp_path):
    assembly = [*ASSEMBLY, *(line for k in (1, 2) for line in (f"*Instance, name=B-{k}, part=Bone", f"0, 0, {20 * k}",
                                                               "*End Instance"))]  # fmt: skip
    mesh = read(tmp_path / "bone.inp", [*PART, *assembly, "*Nset, nset=second, instance=B-2", *map(str, TOP_NODES)])
    assert len(mesh.tets) == 2 * len(BLOCK.tets)
    assert np.count_nonzero(mesh.face_sets["top"]) == 2 * np.count_nonzero(TOP)
    where = mesh.points[mesh.faces[mesh.face_sets["second"]]][..., 2]
    np.testing.assert_allclose(where, 40.0 + BLOCK.points[:, 2].max())


def test_an_instance_may_hold_its_own_mesh(tmp_path):
    lines = ["*Part, name=Bone", "*End Part", *ASSEMBLY, "*Instance, name=Bone-1, part=Bone", "0., 0., 7."]
    mesh = read(tmp_path / "bone.inp", [*lines, "*Node", *nodes(), "*Element, type=C3D4", *elements(), *NAMED["sides"]])
    np.testing.assert_allclose(mesh.points, BLOCK.points + np.array([0.0, 0.0, 7.0]))
    np.testing.assert_array_equal(mesh.face_sets["top"], TOP)


def test_a_surface_inside_is_refused(tmp_path):
    inner = next(
        f"{n}, {side}" for n, tet in enumerate(BLOCK.tets, 1) for side in MANUAL
        if (n, side) not in sides_of(BLOCK.faces)
    )  # fmt: skip
    with pytest.raises(InputError, match="1 triangles of 'cut' are not on the boundary"):
        read(tmp_path / "bone.inp", [*FLAT, "*SURFACE, NAME=cut", inner])


def test_sets_that_name_each_other_end(tmp_path):
    mesh = read(tmp_path / "bone.inp", [*FLAT, "*NSET, NSET=a", "b", "*NSET, NSET=b", "a, 1", *NAMED["sides"]])
    assert set(mesh.face_sets) == {"NALL", "top"}
