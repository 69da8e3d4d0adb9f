"""Clearances against the distance of capsules, and what counts as a violation."""

import json
from dataclasses import replace

import numpy as np
import pytest
from blocks_of_tets import box

from sacrofem import Case, cli
from sacrofem.anatomy.solid import AuricularFace, Corridor, Landmarks
from sacrofem.case.presets import PRESETS
from sacrofem.cement.injection import Injection
from sacrofem.cement.needle import Needle
from sacrofem.cement.safety import (
    MOST_ALA_SHARE,
    TOUCHING_MM,
    Limits,
    ala_share,
    needle_path,
    plan_safety,
)
from sacrofem.cement.shapes import Column, Ellipsoid
from sacrofem.cement.spread import place_cement
from sacrofem.cement.structures import Structures
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.specimen.specimen import Specimen

TIP = np.array([0.0, 0.0, 0.0])


def segment_distance(a0, a1, b0, b1):
    """Least distance of two segments, by sampling one densely."""
    t = np.linspace(0.0, 1.0, 4001)[:, None]
    points = a0 + t * (a1 - a0)
    way = b1 - b0
    s = np.clip((points - b0) @ way / (way @ way), 0.0, 1.0)[:, None]
    return np.linalg.norm(points - b0 - s * way, axis=1).min()


@pytest.fixture(scope="module")
def block():
    made = box((16, 16, 16), (60.0, 60.0, 60.0))
    mesh = TetMesh.from_tets(made.points - 30.0, made.tets)
    return mesh.with_sets(face_sets={"outer": np.ones(len(mesh.faces), bool)})


@pytest.fixture(scope="module")
def structures(block):
    faces = {side: AuricularFace(np.array([x, 0.0, 0.0]), np.array([np.sign(x), 0, 0]), 50.0, 25.0)
             for side, x in (("left", 30.0), ("right", -30.0))}  # fmt: skip
    foramen = Corridor(np.array([[14.0, -30.0, 4.0], [10.0, 30.0, 8.0]]), np.array([4.0, 4.0]))
    canal = Corridor(np.array([[-15.0, 10.0, 30.0], [-15.0, 10.0, -30.0]]), np.array([6.0, 6.0]))
    levels = np.array([[0, 0, 20.0 - 10 * k] for k in range(5)], float)
    landmarks = Landmarks(
        np.array([0, 0, 30.0]), np.array([0, 0, 1.0]), np.array([0, -10.0, 30.0]), np.array([0, 0, -30.0]), levels,
        faces, canal, {"S1_left": foramen},
    )  # fmt: skip
    return Structures(block, landmarks)


@pytest.mark.parametrize("count", [12, 16, 21])
def test_the_ragged_rim_of_a_joint_stands_no_nearer_than_its_faces(structures, count):
    made = box((count, count, count), (60.0, 60.0, 60.0))
    mesh = TetMesh.from_tets(made.points - 30.0, made.tets)
    x, y, z = mesh.points[mesh.faces].mean(axis=1).T
    disc = (x > 29.9) & (np.hypot(y, z) < 15.0)
    there = Structures(
        mesh.with_sets(face_sets={"outer": np.ones(len(mesh.faces), bool), "auricular_left": disc}),
        structures.landmarks,
    )
    for angle in np.radians(np.arange(0.0, 360.0, 15.0)):
        y, z = 20.0 * np.cos(angle), 20.0 * np.sin(angle)
        needle = Needle((10.0, y, z), (24.0, y, z))
        more = needle_path(needle, there).clearance_mm["joint_left"] - (np.hypot(6.0, 5.0) - 0.5 * needle.diameter_mm)
        assert 0.0 <= more < 0.5 * 60.0 / count


def placed(block, structures, needle, volume=1.5, spread=None, **more):
    pores = np.full(len(block.tets), 0.9)
    return place_cement(
        [Injection(needle, volume, spread or Column(12.0))], block, pores, keep_clear=structures.keep_clear, **more
    )


@pytest.mark.parametrize("target", [(0.0, 0.0, 0.0), (2.0, 5.0, -3.0), (-4.0, 2.0, 6.0), (6.0, 3.0, 5.5)])
def test_clearance_of_a_capsule(block, structures, target):
    needle = Needle((target[0] + 1.0, 25.0, target[2] + 4.0), target)
    region = placed(block, structures, needle)
    radius = region.injections[0].radius_mm
    safety = plan_safety(region, structures, Limits())
    tip = np.asarray(target)
    for name, corridor in structures.corridors.items():
        axis = segment_distance(tip, tip - 12.0 * needle.direction, *corridor.points)
        assert safety.clearance_mm[name] == pytest.approx(axis - radius - corridor.radii[0], abs=0.3)
    path = safety.needles[0]
    for name, corridor in structures.corridors.items():
        axis = segment_distance(tip, np.asarray(needle.entry_mm), *corridor.points)
        expected = axis - corridor.radii[0] - 0.5 * needle.diameter_mm
        assert path.clearance_mm[name] == pytest.approx(expected, abs=0.1)


def test_a_needle_into_the_foramen_is_caught(block, structures):
    aimed = Needle((3.0, 28.0, 6.0), (12.0, 0.0, 6.0))
    region = placed(block, structures, aimed)
    safety = plan_safety(region, structures, Limits())
    assert safety.violated
    assert safety.encroached == ("S1_left",)
    assert safety.needles[0].crosses == ("S1_left",)
    assert safety.first_reached["structure"] == "S1_left"
    assert safety.first_reached["volume_ml"] < 0.1
    assert "the left S1 foramen" in safety.sentences()[0]


@pytest.mark.parametrize("spread", [Column(8.0), Ellipsoid(1.5)])
def test_stopping_at_encroachment_withholds_the_rest(block, structures, spread):
    needle = Needle((4.0, 25.0, 6.0), (4.0, 0.0, 6.0))
    region = placed(block, structures, needle, 4.0, spread)
    assert plan_safety(region, structures, Limits()).encroached == ("S1_left",)
    stopped = placed(block, structures, needle, 4.0, spread, stop=True)
    (injection,) = stopped.injections
    assert injection.encroachment.structure == "S1_left"
    assert injection.placed_ml == pytest.approx(injection.encroachment.volume_ml, rel=1e-6)
    assert 0.1 < injection.placed_ml < 3.5
    assert stopped.placed_ml + stopped.withheld_ml == pytest.approx(4.0, rel=1e-9)
    safety = plan_safety(stopped, structures, Limits())
    assert not safety.violated
    if isinstance(spread, Column):
        assert safety.clearance_mm["S1_left"] == pytest.approx(0.0, abs=0.3)
    # The volume that was safe is placed without being stopped.
    again = placed(block, structures, needle, 0.999 * injection.placed_ml, spread)
    assert again.injections[0].encroachment is None


def test_limits(block, structures):
    needle = Needle((0.0, 25.0, 0.0), (0.0, 0.0, 0.0))
    region = placed(block, structures, needle)
    assert not plan_safety(region, structures, Limits(1.0, 1.0, 0.0)).violated
    safety = plan_safety(region, structures, Limits(needle_clearance_mm=9.0, cement_clearance_mm=5.0))
    assert safety.violated
    assert not safety.encroached
    assert any(text.startswith("needle 1 is") for text in safety.exceeded)
    assert any(text.startswith("cement is") for text in safety.exceeded)


@pytest.mark.parametrize(
    ("x", "verdict", "what"),
    [
        (-2.0, "clear", set()),
        (3.05, "touching", {("cement", "S1_left")}),
        (4.3, "touching", {("needle 1", "S1_left")}),
        (12.0, "encroaching", set()),
    ],
)
def test_three_states(block, structures, x, verdict, what):
    """Nearer and nearer to the wall of the S1 foramen: far, cement, needle, inside."""
    needle = Needle((x, 25.0, 6.0), (x, 0.0, 6.0))
    volume = {3.05: 0.65, 4.3: 0.05}.get(x, 0.5)
    safety = plan_safety(placed(block, structures, needle, volume), structures, Limits())
    assert safety.verdict == verdict
    assert {(touch.what, touch.where) for touch in safety.touching if touch.where == "S1_left"} == what
    assert safety.violated == (verdict == "encroaching")
    for touch in safety.touching:
        assert touch.value < touch.bound == TOUCHING_MM
    told = safety.to_json()
    assert told["verdict"] == verdict
    assert all(entry["bound"] is not None and entry["source"] for entry in told["bounds"].values())
    if verdict == "touching":
        assert safety.sentences()[0].startswith("safety: touching: ")


def test_a_limit_of_the_case_makes_touching_a_violation(block, structures):
    region = placed(block, structures, Needle((3.05, 25.0, 6.0), (3.05, 0.0, 6.0)), 0.65)
    safety = plan_safety(region, structures, Limits(cement_clearance_mm=TOUCHING_MM))
    assert (safety.verdict, safety.violated) == ("touching", True)


def test_share_of_an_ala(structures):
    """Half of the tets of the left ala full, and drops in the gap, one beside it; the other side has no foramina."""
    mesh = structures.mesh
    members, volume = structures.alae["left"]
    full = np.zeros(len(mesh.tets))
    chosen = np.flatnonzero(members)[::2]
    full[chosen] = mesh.volumes[chosen] / 1e3
    share = ala_share(structures, full, np.array([[28.0, 0.0, 10.0], [0.0, 0.0, 10.0]]), np.array([0.3, 5.0]))
    assert share == {"left": pytest.approx((mesh.volumes[chosen].sum() / 1e3 + 0.3) / volume)}
    assert 0.4 < share["left"] < 0.6


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (
            {"filled": {"left": 0.7, "right": MOST_ALA_SHARE}},
            "70 % of the left ala is cement (at most 26 % in any source)",
        ),
        ({"leaks": True}, "ml left the bone (posterior)"),
    ],
)
def test_a_full_ala_and_a_leak_are_pointed_at(block, structures, more, text):
    region = placed(block, structures, Needle((0.0, 25.0, 0.0), (0.0, 0.0, 0.0)))
    if more.pop("leaks", False):
        (injection,) = region.injections
        out = {"outside_points": np.array([[0.0, 31.0, 0.0]]), "outside_ml": np.array([0.2])}
        region = replace(region, injections=(replace(injection, **out),))
    safety = plan_safety(region, structures, Limits(), **more)
    assert (safety.verdict, safety.violated) == ("touching", False)
    assert [str(touch) for touch in safety.touching] == [text if "70" in text else f"0.20 {text}"]


def test_a_joint_that_a_needle_comes_through_is_not_pointed_at(block, structures):
    there = replace(structures, mesh=block.with_sets(face_sets={"auricular_left": block.face_normals[:, 0] > 0.9}))
    region = placed(block, there, Needle((29.0, 0.0, -20.0), (10.0, 0.0, -20.0)), spread=Column(0.0))
    near = plan_safety(region, there, Limits())
    assert [(touch.what, touch.where) for touch in near.touching] == [("needle 1", "joint_left")]
    assert plan_safety(region, there, Limits(), own_joint=True).verdict == "clear"


def test_an_ala_full_of_cement_is_no_clean_result():
    """30 ml on one side lie in nothing and touch all: amber, with the numbers, and no violation."""
    case = Case.preset("sif-unilateral").with_(mesh__reference="tiny", mesh__order=1, cement__volume_ml=30.0)
    plan = Specimen(case).plan()
    assert (plan.safety.verdict, plan.safety.violated) == ("touching", False)
    assert plan.safety.ala_share["left"] > 2 * MOST_ALA_SHARE
    assert {"S1_left", "S2_left", "joint_left", "anterior", "left"} <= {touch.where for touch in plan.safety.touching}
    (note,) = (text for text in plan.notes if text.startswith("safety: touching"))
    assert len(note) < 400
    usual = Specimen(case.with_(cement__volume_ml=2.05)).plan()
    assert usual.safety.verdict == "clear"


def test_path_through_cortex_and_out_in_front(block, structures):
    through = needle_path(Needle((0.0, 34.0, 0.0), (0.0, -34.0, 0.0)), structures)
    assert through.cortical_mm == pytest.approx(2 * structures.cortex_mm, abs=0.6)
    assert through.cancellous_mm == pytest.approx(60.0 - 2 * structures.cortex_mm, abs=0.6)
    assert through.outside_mm == pytest.approx(4.0, abs=0.3)
    assert through.crosses == ("anterior",)


@pytest.mark.parametrize("spread", ["column", "flow"])
@pytest.mark.parametrize(
    "preset",
    # Half a sacrum has no shipped mesh: it takes a while to make.
    [pytest.param(name, marks=pytest.mark.slow) if name.startswith("hemi") else name for name in sorted(PRESETS)],
)
def test_presets_are_safe(preset, spread):
    case = Case.preset(preset).with_(mesh__order=1, cement__spread=spread)
    case = case if case.anatomy.half != "none" else case.with_(mesh__reference="tiny")
    assert not Specimen(case).plan().safety.violated


def _own_needle(folder, spread, entry, target):
    case = folder / "case.toml"
    case.write_text(
        f'preset = "sif-unilateral"\n[mesh]\nreference = "tiny"\norder = 1\n[cement]\nspread = "{spread}"\n'
        f"[[cement.injections]]\nentry_mm = {np.round(entry, 2).tolist()}\n"
        f"target_mm = {np.round(target, 2).tolist()}\nvolume_ml = 2.0\n"
    )
    return case


@pytest.fixture
def at_the_wall(tmp_path):
    """A column from a tip at the wall of the S1 foramen."""
    foramen = Specimen(Case.preset("sif-unilateral").with_(mesh__reference="tiny")).landmarks.foramina["S1_left"]
    target = foramen.points.mean(axis=0) + np.array([foramen.radii.max() + 1.0, 0.0, 0.0])
    return _own_needle(tmp_path, "column", target + np.array([3.0, 25.0, 0.0]), target)


def test_exit_status(at_the_wall, capsys):
    """All is printed, and the status is 3."""
    assert cli.main(["check", str(at_the_wall)]) == 3
    printed = capsys.readouterr()
    assert "S1_left" in printed.out
    assert printed.err == ""
    assert cli.main(["check", str(at_the_wall), "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["safety"]["encroached"] == ["S1_left"]


@pytest.mark.slow
def test_a_comparison_that_violates_is_written_as_ever(at_the_wall, tmp_path, capsys):
    """The status is 3, and the folder holds the results with the picture of the plan."""
    out = tmp_path / "out"
    assert cli.main(["compare", str(at_the_wall), "--out", str(out)]) == 3
    assert "safety: inside the left S1 foramen" in capsys.readouterr().out
    assert json.loads((out / "comparison.json").read_text())["safety"]["violated"]
    assert (out / "plan.png").read_bytes().startswith(b"\x89PNG")


def test_a_needle_through_the_foramen_is_caught_with_flow(tmp_path, capsys):
    """Cement may flow around a foramen; a needle through it is a violation all the same."""
    foramen = Specimen(Case.preset("sif-unilateral").with_(mesh__reference="tiny")).landmarks.foramina["S1_left"]
    middle = foramen.points[len(foramen.points) // 2]
    aside = np.array([1.0, 0.0, 0.0])
    case = _own_needle(tmp_path, "flow", middle - 10.0 * aside, middle + (foramen.radii.max() + 6.0) * aside)
    assert cli.main(["check", str(case), "--json"]) == 3
    safety = json.loads(capsys.readouterr().out)["safety"]
    assert safety["encroached"] == ["S1_left"]
    assert "S1_left" in safety["needles"][0]["crosses"]
