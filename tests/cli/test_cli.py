import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field, replace
from importlib import import_module

import numpy as np
import pytest

import sacrofem
from sacrofem import cli
from sacrofem.case.case import Case
from sacrofem.case.presets import PRESETS
from sacrofem.errors import EnvironmentFailure, SolverError
from sacrofem.system.files import sha256
from sacrofem.system.progress import stage


@dataclass
class FakeComparison:
    """Just what the command line prints."""

    case: Case
    intact: dict | None
    before: dict = field(default_factory=lambda: {"micromotion_mean_um": 100.0, "gap_strain_p95": None})
    after: dict = field(default_factory=lambda: {"micromotion_mean_um": 60.0, "gap_strain_p95": None})
    change: dict = field(default_factory=lambda: {"micromotion_mean_um": -0.4, "gap_strain_p95": None})
    warnings: list = field(default_factory=lambda: ["read this"])
    mesh_band: dict | None = None
    input_range: dict | None = None
    bands: dict = field(default_factory=dict)

    def to_json(self):
        return {
            "schema": 1,
            "case": self.case.to_dict(),
            "before": self.before,
            "after": self.after,
            "change": self.change,
            "intact": self.intact,
            "cement": {"placed_ml": 4.1, "in_bone_ml": 4.0, "in_gap_ml": 0.1, "in_lesion_ml": 0.0},
            "mesh": {"tets": 7, "dofs": 99},
            "bone": {"modulus": {"text": "by the law of the fake"}},
            "mesh_band": self.mesh_band,
            "input_range": self.input_range,
            "bands": self.bands,
        }


@pytest.fixture
def engine(monkeypatch):
    """Stand-in for the solver; remembers the cases it was given, or raises what it is told to."""
    given = []

    def compare(case, *, intact=False):
        stage("solving")
        given.append(case)
        if compare.error is not None:
            raise compare.error
        return FakeComparison(case, {"micromotion_mean_um": 20.0} if intact else None)

    compare.error = None
    compare.given = given
    monkeypatch.setattr(import_module("sacrofem.specimen.compare"), "compare", compare)
    return compare


def test_compare_prints_a_table(engine, capsys):
    assert cli.main(["compare"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    row = next(line for line in out.splitlines() if "Micromotion of the gap, mean" in line)
    assert row.split()[-6:] == ["mean", "µm", "100.0", "60.00", "-40.0", "%"]
    assert "Gap strain" not in out
    assert "note: read this" in out
    assert "4.10 ml cement (4.00 in bone, 0.10 in gap)" in out
    assert "not a medical device" in out
    assert engine.given == [Case()]


def test_numbers_are_never_cut_on_a_narrow_terminal():
    from rich.console import Console

    from sacrofem.report.text.table import HEADLINES, rows, terminal_table

    before, after = dict.fromkeys(HEADLINES, -12345.678), dict.fromkeys(HEADLINES, -23456.789)
    page = Console(width=72, force_terminal=False)
    with page.capture() as text:
        page.print(terminal_table(rows(before, after, dict.fromkeys(HEADLINES, -0.4567), before), intact=True))
    assert "…" not in text.get()
    assert text.get().count("-45.7 %") == len(HEADLINES)


def test_compare_prints_intact_when_asked(engine, capsys):
    assert cli.main(["compare", "--intact"]) == 0
    out = capsys.readouterr().out
    assert "intact" in out
    assert "20.00" in out


def test_bands_are_attached_on_request(engine, monkeypatch, capsys):
    from sacrofem.study import bands

    asked = []

    def with_bands(result, *, mesh, inputs):
        asked.append((mesh, inputs))
        about = {"source": "computed", "meshes": [{"name": "tiny", "size_mm": 4.36}]}
        return replace(
            result,
            mesh_band={"micromotion_mean_um": {"before": [95.0, 105.0], "after": None, "change": [-0.444, -0.356]}},
            input_range={"micromotion_mean_um": {"before": None, "after": None, "change": [-0.8, 0.06]}},
            bands={"mesh_band": about, "input_range": {"source": "shipped", "mesh": "coarse", "varied": ["floor 5"]}},
        )

    monkeypatch.setattr(bands, "with_bands", with_bands)
    assert cli.main(["compare", "--band", "--input-range"]) == 0
    out = capsys.readouterr().out
    assert asked == [(True, True)]
    assert "-40.0 % (±4.4)" in out
    assert "-80 to +6 %" in out
    assert "Mesh band (±): from the meshes tiny (4.4 mm), computed in this run." in out
    assert "Input range: floor 5; one at a time, mesh coarse, shipped with sacrofem." in out
    assert cli.main(["compare", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["input_range"]["micromotion_mean_um"]["change"] == [-0.8, 0.06]


def test_without_bands_the_output_says_so(engine, capsys):
    assert cli.main(["compare"]) == 0
    out = capsys.readouterr().out
    assert "Mesh band: not computed (--band computes it)." in out
    assert "Input range: not computed (--input-range computes it)." in out


def test_an_own_mesh_has_no_mesh_band(engine, tmp_path, capsys):
    path = tmp_path / "case.toml"
    path.write_text('[anatomy]\nkind = "mesh"\npath = "bone.vtu"\n')
    for command in (["compare", str(path), "--band"], ["converge", str(path)]):
        assert cli.main(command) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err == (
            f"error: {path}: anatomy.kind = 'mesh': a mesh of one's own cannot be made again at other sizes; "
            'compare three such meshes, or use kind = "parametric"\n'
        )
    assert engine.given == []


def test_a_preview_is_called_one_beside_the_table(engine, capsys):
    assert cli.main(["compare", "--order", "1"]) == 0
    assert "P1 (a preview, too stiff)" in capsys.readouterr().out
    assert cli.main(["compare"]) == 0
    out = capsys.readouterr().out
    assert "P2" in out
    assert "preview" not in out


@pytest.fixture
def ladder_of(monkeypatch):
    """Stand-in for the ladder of `converge`: the shipped numbers, for whatever case."""
    from sacrofem.study import convergence
    from sacrofem.study.bands import read_shipped, shipped_convergence

    given = []

    def converge(case):
        given.append(case)
        if converge.error is not None:
            raise converge.error
        return replace(shipped_convergence(read_shipped(), case), warnings=("read this",))

    converge.error, converge.given = None, given
    monkeypatch.setattr(convergence, "converge", converge)
    return converge


def test_converge_prints_orders_and_bands(ladder_of, capsys):
    assert cli.main(["converge"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert ladder_of.given == [Case()]
    assert "mesh band of medium, P2" in out
    for name in ("tiny", "coarse", "medium", "order", "Micromotion of the gap, mean", "not converged", "read this"):
        assert name in out, name
    assert "not a medical device" in out
    assert cli.main(["converge", "--order", "1"]) == 0
    assert "mesh band of medium, P1 (a preview, too stiff)" in capsys.readouterr().out


def test_converge_json_is_one_object(ladder_of, capsys):
    assert cli.main(["converge", "--json"]) == 0
    out, err = capsys.readouterr()
    content = json.loads(out)
    assert err == ""
    assert len(content["levels"]) == 3
    low, high = content["mesh_band"]["micromotion_mean_um"]["change"]
    assert low < content["levels"][2]["change"]["micromotion_mean_um"] < high


def test_converge_leaves_a_folder_or_nothing(ladder_of, tmp_path, capsys):
    folder = tmp_path / "out"
    ladder_of.error = SolverError("stagnated")
    assert cli.main(["converge", "--out", str(folder)]) == 1
    assert not folder.exists()
    ladder_of.error = None
    assert cli.main(["converge", "--out", str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} == {
        "convergence.json", "convergence.png", "convergence.svg", "case.toml", "manifest.json",
    }  # fmt: skip
    content = json.loads((folder / "convergence.json").read_text())
    assert Case.from_dict(content["case"]) == Case.from_toml(folder / "case.toml") == Case()
    assert (folder / "convergence.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (folder / "convergence.svg").read_text()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "x").write_text("mine")
    capsys.readouterr()
    assert cli.main(["converge", "--out", str(tmp_path / "notes")]) == 2
    assert "holds files that are not ours" in capsys.readouterr().err
    assert len(ladder_of.given) == 2


def test_compare_json_is_one_object(engine, capsys):
    assert cli.main(["compare", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    content = json.loads(out)
    assert content["change"] == {"micromotion_mean_um": -0.4, "gap_strain_p95": None}
    assert Case.from_dict(content["case"]) == Case()


def test_options_override_the_file_which_overrides_the_preset(engine, tmp_path):
    path = tmp_path / "case.toml"
    path.write_text('preset = "sif-unilateral"\n[cement]\nvolume_ml = 3.0\n[load]\nforce_n = 500.0\n')
    options = ["--side", "right", "--volume-ml", "2.5", "--size", "3", "--order", "1", "--threads", "2"]
    assert cli.main(["compare", str(path), *options]) == 0
    (case,) = engine.given
    assert (case.fracture.side, case.cement.volume_ml, case.load.force_n) == ("right", 2.5, 500.0)
    assert (case.mesh.size_mm, case.mesh.order, case.solver.threads) == (3.0, 1, 2)


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (SolverError("stagnated at 1e-3"), 1, "stagnated at 1e-3"),
        (EnvironmentFailure("disk full"), 5, "disk full"),
        (OSError(28, "No space left on device"), 5, "No space left"),
        (MemoryError(), 5, "out of memory"),
        (KeyboardInterrupt(), 130, "nothing was written"),
        (ZeroDivisionError("division\nby zero"), 1, "ZeroDivisionError: division by zero"),
    ],
)
def test_exit_status_and_one_line(engine, capsys, tmp_path, error, status, text):
    engine.error = error
    assert cli.main(["compare", "--out", str(tmp_path / "out")]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert text in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_closed_pipe_is_quiet():
    script = "import sys; from sacrofem.cli import main; sys.exit(main(['info']))"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


@pytest.mark.parametrize("name", PRESETS)
def test_init_writes_a_case_that_reads_back(name, tmp_path, capsys):
    path = tmp_path / "case.toml"
    assert cli.main(["init", str(path), "--preset", name]) == 0
    assert str(path) in capsys.readouterr().out
    assert Case.from_toml(path) == Case.preset(name)
    assert "not a medical device" in path.read_text()


def test_info_names_everything_that_can_be_chosen(capsys):
    assert cli.main(["info", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert set(content["presets"]) == set(PRESETS)
    assert content["loads"]["standing"]["force_n"] == 700.0
    assert all(entry["source"] for entry in content["loads"].values())
    assert content["versions"]["numpy"] == np.__version__
    assert cli.main(["info"]) == 0
    text = capsys.readouterr().out
    for name in (*PRESETS, *content["loads"], *content["density_laws"]):
        assert name in text
    # What a law means, how densities are made of each other, and that a law may be one's own.
    assert "morgan2003-vertebra: E = 4730 ρ^1.56 MPa, apparent density" in text
    assert "from calibrated QCT density: ρ_app = (0.877 ρ_QCT + 0.079) / 0.6" in text
    assert "[materials.law]" in text


def test_check_and_mesh_use_what_is_prepared(monkeypatch, tmp_path, capsys):
    from blocks_of_tets import box

    from sacrofem.mesh.files.files import read_mesh

    class Prepared:
        mesh = box()

        def plan(self):
            return None

    monkeypatch.setattr(import_module("sacrofem.specimen.specimen"), "Specimen", lambda case: Prepared())
    summary = {"mesh": {"tets": 48}, "warnings": {}}
    monkeypatch.setattr(import_module("sacrofem.specimen.check"), "summary", lambda specimen, plan: summary)
    assert cli.main(["check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mesh"] == {"tets": 48}
    assert cli.main(["check"]) == 0
    assert "mesh tets 48" in " ".join(capsys.readouterr().out.split())
    path = tmp_path / "m.vtu"
    assert cli.main(["mesh", "--out", str(path)]) == 0
    assert "48 tets" in capsys.readouterr().out
    assert len(read_mesh(path).tets) == 48
    before = sha256(path)
    assert cli.main(["mesh", "--out", str(path), "--overwrite"]) == 0
    assert sha256(path) == before


def test_verify_status(monkeypatch, capsys):
    from types import ModuleType

    module = ModuleType("sacrofem.study.regression")
    found = []
    module.run = lambda update, reason: found
    monkeypatch.setitem(sys.modules, "sacrofem.study.regression", module)
    assert cli.main(["verify"]) == 0
    assert "reproduced" in capsys.readouterr().out
    found.append("stiffness_n_per_mm: 100 was 90")
    assert cli.main(["verify"]) == 4
    out, err = capsys.readouterr()
    assert "stiffness_n_per_mm" in out
    assert len(err.splitlines()) == 1
    assert cli.main(["verify", "--update", "--reason", "better mesh"]) == 0


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"], ["verify", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments):
    script = (
        f"import sys; from sacrofem.cli import main; status = main({arguments!r})\n"
        "heavy = {'numpy', 'scipy', 'numba', 'skfem', 'meshio', 'matplotlib', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(status or sorted(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_package_is_lazy_and_complete():
    script = (
        "import sys, sacrofem\n"
        "assert not {'numpy', 'pydantic'} & set(sys.modules)\n"
        "import sacrofem.case.case, sacrofem.errors\n"
        "assert sacrofem.Case is sacrofem.case.case.Case\n"
        "assert set(sacrofem.__all__) == set(dir(sacrofem))\n"
        "try:\n    sacrofem.nonsense\nexcept AttributeError:\n    pass\nelse:\n    sys.exit('no error')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_function_compare_is_not_hidden_by_its_module():
    for name in sacrofem.__all__:
        assert getattr(sacrofem, name) is not None
    assert callable(sacrofem.compare)


def test_module_entry_point_and_version():
    done = subprocess.run([sys.executable, "-m", "sacrofem", "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert tomllib.loads(f'v = "{done.stdout.strip()}"')["v"] == sacrofem.__version__
