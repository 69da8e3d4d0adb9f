"""Input that must be refused: status 2, one line that names place, value and mend, nothing written."""

import pytest

from sacrofem.cli import main

# text of the case file, then what the one line of the error must contain
CASES = {
    "unknown-key": ("[cement]\nvolum_ml = 3", ["cement.volum_ml = 3", "unknown key", "did you mean volume_ml"]),
    "unknown-section": ("[cemment]\nvolume_ml = 3", ["cemment", "unknown key", "did you mean cement"]),
    "key-in-wrong-section": ("[load]\nvolume_ml = 3", ["load.volume_ml = 3", "belongs in [cement]"]),
    "misspelt-literal": ('[fracture]\nzone = "zone-1"', ["fracture.zone = 'zone-1'", "nearest is 'zone1'"]),
    "misspelt-cement": ('[cement]\nmaterial = "PMAA"', ["cement.material = 'PMAA'", "nearest is 'pmma'"]),
    "misspelt-preset": ('preset = "sif-bilaterl"', ["preset = 'sif-bilaterl'", "nearest is 'sif-bilateral'"]),
    "negative-modulus": ("[cement]\nmodulus_mpa = -2000", ["cement.modulus_mpa = -2000", "at least 0.1"]),
    "modulus-in-gpa": ("[materials]\ncortex_modulus_mpa = 0.017", ["cortex_modulus_mpa = 0.017", "from 1 to 50000"]),
    "modulus-in-pa": ("[cement]\nmodulus_mpa = 2e9", ["cement.modulus_mpa = 2000000000.0", "at most 50000"]),
    "law-in-gpa": (
        '[materials.law]\ndensity = "apparent"\ncoefficient = 4.73\nexponent = 1.56\nsource = "Morgan 2003"',
        ["materials.law.coefficient = 4.73", "at least 20"],
    ),
    "law-without-density": (
        '[materials.law]\ncoefficient = 4730.0\nexponent = 1.56\nsource = "Morgan 2003"',
        ["materials.law.density", "is missing"],
    ),
    "moduli-and-law": (
        '[materials]\nmoduli = "e.csv"\n[materials.law]\ndensity = "qct"\ncoefficient = 3000.0\nexponent = 1.0\n'
        'source = "own"',
        ["materials.moduli = 'e.csv'", "materials.law and materials.moduli are both given"],
    ),
    "moduli-and-floor": (
        '[materials]\nmoduli = "e.csv"\nfloor_mpa = 5',
        ["materials.floor_mpa = 5", "does not count beside materials.moduli"],
    ),
    "zero-floor": ("[materials]\nfloor_mpa = 0", ["materials.floor_mpa = 0", "from 0.1 to 5000"]),
    "nu-half": ("[materials]\npoisson = 0.5", ["materials.poisson = 0.5", "at most 0.45"]),
    "nu-of-filler": ("[fracture]\nfiller_poisson = 0.49", ["fracture.filler_poisson = 0.49", "at most 0.45"]),
    "nu-negative": ("[cement]\npoisson = -0.2", ["cement.poisson = -0.2", "from 0 to 0.45"]),
    "zero-density": (
        "[materials]\ndensity_factor = 0",
        ["density_factor = 0", "at least 0.05", "marrow"],
    ),
    "volume-negative": ("[cement]\nvolume_ml = -4.1", ["cement.volume_ml = -4.1", "from 0 to 60"]),
    "volume-zero": ("[cement]\nvolume_ml = 0", ["cement.volume_ml = 0.0", "no cement is placed"]),
    "volume-huge": ("[cement]\nvolume_ml = 410", ["cement.volume_ml = 410", "at most 60"]),
    "spot-outside-the-gap": (
        '[cement]\nin_gap = "none"\n[cement.spot]\nradius_mm = 5',
        ["cement.in_gap = 'none'", "a spot is cement in the gap"],
    ),
    "nan": ("[load]\nforce_n = nan", ["load.force_n = 'nan'", "not a finite number"]),
    "infinity": ("[fracture]\naperture_mm = inf", ["fracture.aperture_mm = 'inf'", "not a finite number"]),
    "text-for-number": ('[load]\nforce_n = "700"', ["load.force_n = '700'", "must be a number"]),
    "boolean-for-number": ("[load]\nforce_n = true", ["load.force_n = True", "must be a number"]),
    "number-for-section": ("load = 700", ["load = 700", "must be a table"]),
    "zero-load": ("[load]\nforce_n = 0", ["load.force_n = 0", "at least 1", "lumbar spine"]),
    "free-without-force": ('[load]\nkind = "free"', ["load.force_n", "give load.force_n"]),
    "two-coordinates": ("[lesion]\ncentre_mm = [30, 10]", ["lesion.centre_mm = [30, 10]", "only 2 values"]),
    "lesion-without-size": ("[lesion]\nradii_mm = [12, 0, 12]", ["lesion.radii_mm.1 = 0", "from 1 to 60", "an ala"]),
    "no-support": ('[supports]\nkind = "none"', ["supports.kind = 'none'", "elastic, fixed"]),
    "near-joint": ("[fracture]\njoint_distance_mm = 6", ["joint_distance_mm = 6", "allow_near_joint = true"]),
    "aperture-zero": ("[fracture]\naperture_mm = 0", ["fracture.aperture_mm = 0", "from 0.01 to 5"]),
    "open-with-modulus": (
        '[fracture]\nfiller = "open"\nfiller_modulus_mpa = 1',
        ["fracture.filler_modulus_mpa = 1", "an open gap has no modulus"],
    ),
    "fresh-gap-filled": (
        '[fracture]\nstate = "fresh"\nfiller = "callus"',
        ["fracture.filler = 'callus'", "a fresh gap is empty"],
    ),
    "fresh-gap-bonded": (
        '[fracture]\nstate = "fresh"\nclosure = "bonded"',
        ["fracture.closure = 'bonded'", "leave it out"],
    ),
    "fresh-gap-wide": ('[fracture]\nstate = "fresh"\naperture_mm = 0.5', ["fracture.aperture_mm = 0.5", "at most 0.1"]),
    "flow-law": ('[cement.flow]\npermeability = "darcy"', ["cement.flow.permeability = 'darcy'", "kozeny-carman"]),
    "friction-of-bonded": ("[fracture]\nfriction = 0.4", ["fracture.friction = 0.4", "leave it out"]),
    "surface-without-file": ('[anatomy]\nkind = "surface"', ["anatomy.path", 'kind = "surface" needs a file']),
    "joint-modulus": ("[supports.joint]\nmodulus_mpa = 0.0", ["supports.joint.modulus_mpa", "slack joint"]),
    "joint-thickness": ("[supports.joint]\nthickness_mm = 45", ["supports.joint.thickness_mm", "4.5 mm"]),
    "ligament-name": (
        "[supports.ligament_stiffness]\nsacrospinal = 900",
        ["ligament_stiffness.sacrospinal", "sacrospinous"],
    ),
    "ligament-negative": ("[supports.ligament_stiffness]\niliolumbar = -1", ["ligament_stiffness.iliolumbar", "torn"]),
    "safety-key": ("[safety]\ncanal_mm = 2", ["safety.canal_mm", "needle_clearance_mm"]),
    "mesh-without-file": ('[anatomy]\nkind = "mesh"', ["anatomy.path", 'add path = "FILE"']),
    "path-of-built-in": ('[anatomy]\npath = "x.vtu"', ["anatomy.path = 'x.vtu'", 'kind = "mesh"']),
    "unknown-parameter": (
        "[anatomy.parameters]\nheigth_mm = 90",
        ["anatomy.parameters.heigth_mm = 90", "did you mean"],
    ),
    "one-number-for-five": (
        "[anatomy.parameters]\nbody_depths_mm = 18.0",
        ["anatomy.parameters.body_depths_mm = 18.0", "5 finite numbers in a list"],
    ),
    "four-numbers-for-five": (
        "[anatomy.parameters]\nbody_depths_mm = [18, 15, 12, 10]",
        ["anatomy.parameters.body_depths_mm = [18, 15, 12, 10]", "5 finite numbers"],
    ),
    "list-for-one-number": (
        "[anatomy.parameters]\nalar_breadth_mm = [100, 110]",
        ["anatomy.parameters.alar_breadth_mm", "a finite number"],
    ),
    "nan-among-dimensions": (
        "[anatomy.parameters]\nbody_depths_mm = [18, 15, 12, 10, nan]",
        ["anatomy.parameters.body_depths_mm", "5 finite numbers"],
    ),
    "unknown-unit": ('[anatomy]\nunits = "inch"', ["anatomy.units = 'inch'", "not one of mm, cm, m"]),
    "moment-in-newton-millimetres": (
        "[load]\nmoment = [5000, 0, 0]",
        ["load.moment = (5000, 0, 0)", "load.moment_n_m now", "schema = 1 is still read"],
    ),
    "force-in-kilonewton": ("[load]\nforce_kn = 0.7", ["load.force_kn = 0.7", "unknown key", "did you mean force_n"]),
    "negative-friction": ("[fracture]\nfriction = -0.1", ["fracture.friction = -0.1", "from 0 to 2"]),
    "huge-friction": ("[fracture]\nfriction = 3", ["fracture.friction = 3", "from 0 to 2"]),
    "half-and-both-sides": ('[anatomy]\nhalf = "left"', ["fracture.side = 'both'", 'use "left"']),
    "coarse-fracture": ("[mesh]\nsize_mm = 3\nfracture_size_mm = 4", ["mesh.fracture_size_mm = 4", "smaller"]),
    "third-order": ("[mesh]\norder = 3", ["mesh.order = 3", "nearest is 2"]),
    "loose-tolerance": ("[solver]\ntolerance = 1e-3", ["solver.tolerance = 0.001", "at most 1e-08"]),
    "sum-of-injections": (
        "[cement]\nvolume_ml = 5\n[[cement.injections]]\nentry_mm = [30, 40, -10]\n"
        "target_mm = [30, 5, -10]\nvolume_ml = 2",
        ["cement.volume_ml = 5.0", "sum to 2 ml"],
    ),
    "entry-is-target": (
        "[[cement.injections]]\nentry_mm = [1, 2, 3]\ntarget_mm = [1, 2, 3]\nvolume_ml = 2",
        ["cement.injections.0.target_mm", "coincide"],
    ),
    "unknown-gauge": (
        "[[cement.injections]]\nentry_mm = [1, 2, 3]\ntarget_mm = [1, 2, 9]\nvolume_ml = 2\ngauge = 12",
        ["cement.injections.0.gauge = 12", "nearest is 11"],
    ),
    "spot-without-fracture": (
        '[fracture]\nzone = "none"\n[cement.spot]\nradius_mm = 5',
        ["cement.spot", "a spot needs a fracture"],
    ),
    "unknown-schema": ("schema = 0", ["schema = 0", "not one of 2"]),
    "newer-schema": ("schema = 3", ["schema = 3", "newer sacrofem"]),
    "key-twice": ("[load]\nforce_n = 1\nforce_n = 2", ["given twice", "line 3"]),
    "table-twice": ("[load]\nforce_n = 1\n[load]\nslope_deg = 2", ["given twice", "line 3"]),
    "not-toml": ("[load\nforce_n = 1", ["not valid TOML", "line 1"]),
}


def refused(capsys, arguments, *expected):
    """Run, and check status, the single line, and an empty standard output."""
    status = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    assert status == 2, err
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("error: ")
    for text in expected:
        assert text in lines[0]
    return lines[0]


@pytest.mark.parametrize("name", CASES)
def test_case_file(name, tmp_path, capsys):
    text, expected = CASES[name]
    path = tmp_path / "case.toml"
    path.write_text(text + "\n")
    out = tmp_path / "out"
    line = refused(capsys, ["compare", path, "--out", out], "case.toml", *expected)
    assert ";" in line
    assert sorted(p.name for p in tmp_path.iterdir()) == ["case.toml"]


def test_missing_case_file(tmp_path, capsys):
    refused(capsys, ["compare", tmp_path / "none.toml"], "none.toml", "no such file")


def test_folder_as_case_file(tmp_path, capsys):
    refused(capsys, ["check", tmp_path], "not a file")


def test_binary_case_file(tmp_path, capsys):
    path = tmp_path / "case.toml"
    path.write_bytes(bytes(range(256)))
    refused(capsys, ["check", path], "not a text file")


def test_huge_case_file(tmp_path, capsys):
    path = tmp_path / "case.toml"
    path.write_bytes(b"#" * 2_000_000)
    refused(capsys, ["check", path], "too large")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["compare", "--volume-ml", "-3"], "cement.volume_ml = -3.0"),
        (["compare", "--volume-ml", "lots"], "--volume-ml"),
        (["compare", "--size", "0"], "mesh.size_mm = 0.0"),
        (["compare", "--order", "3"], "mesh.order = 3"),
        (["compare", "--threads", "0"], "solver.threads = 0"),
        (["compare", "--preset", "sif"], "no such preset"),
        (["compare", "--preset", "lytic-infiltrative", "--side", "up"], "--side"),
        (["compare", "--side", "up"], "--side"),
        (["compare", "--bogus"], "--bogus"),
        (["compair"], "compare"),
        (["mesh"], "--out"),
        (["verify", "--update"], "--reason"),
        (["verify", "--reason", "x"], "--update"),
    ],
)
def test_options(arguments, expected, capsys):
    refused(capsys, arguments, expected)


def test_out_is_a_file(tmp_path, capsys):
    path = tmp_path / "out"
    path.write_text("mine")
    refused(capsys, ["compare", "--out", path], "--out", "not a folder")
    assert path.read_text() == "mine"


def test_out_below_a_file(tmp_path, capsys):
    path = tmp_path / "file"
    path.write_text("mine")
    refused(capsys, ["compare", "--out", path / "out"], "--out", "not a folder", "name a place that can be written")


def test_out_cannot_be_written(tmp_path, capsys, monkeypatch):
    def denied(**_):
        raise PermissionError(13, "Permission denied")

    # Permission bits do not bind a test that runs as root.
    monkeypatch.setattr("tempfile.TemporaryFile", denied)
    refused(capsys, ["compare", "--out", tmp_path / "out"], "--out", "Permission denied")


def test_out_holds_foreign_files(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    refused(capsys, ["compare", "--out", tmp_path], "--out", "not ours", "--overwrite")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_foreign_manifest_does_not_make_a_folder_ours(tmp_path, capsys):
    (tmp_path / "manifest.json").write_text('{"name": "some web application"}')
    refused(capsys, ["compare", "--out", tmp_path], "not ours")


def test_mesh_file_exists(tmp_path, capsys):
    path = tmp_path / "mesh.vtu"
    path.write_text("mine")
    refused(capsys, ["mesh", "--out", path], "exists already", "--overwrite")
    assert path.read_text() == "mine"


def test_mesh_folder_missing(tmp_path, capsys):
    refused(capsys, ["mesh", "--out", tmp_path / "a" / "mesh.vtu"], "folder does not exist")


def test_init_over_a_file(tmp_path, capsys):
    path = tmp_path / "case.toml"
    path.write_text("mine")
    refused(capsys, ["init", path], "exists already")
    assert path.read_text() == "mine"
