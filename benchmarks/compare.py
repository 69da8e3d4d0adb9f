"""sacrofem beside other finite-element programs, on the same mesh, moduli, support and load.

python benchmarks/compare.py --dofs 60000,260000 --json FILE [--repeats 3] [--peers calculix,dolfinx] [--out DIR]

Every program is measured as a whole process, from its input files to its results, in strict
alternation; the answers have to agree. What is not installed is listed as such. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from measure import Run, available_gib, machine, run, threads_environment, touch_memory
from programs import HERE, Program, chosen, differences, failed
from tables import plot, table

# scikit-fem's form needs 12 GB and minutes at a million displacements.
MOST_DOFS_SKFEM_ASSEMBLY = 400_000
# One batch of the engine at sizes at which a long series would take most of an hour.
MOST_DOFS_LONG_SERIES, SHORT_SERIES = 400_000, 32
# More than any of the programs needs at the sizes at which all run.
MOST_TOUCHED_GIB = 8.0
RATIOS = "how many times as much the other program needs as sacrofem: above 1, sacrofem needs less"


@dataclass(frozen=True)
class Bench:
    """What holds for all sizes: interpreters, threads, repeats, where files go."""

    python: str
    threads: int
    repeats: int
    scenarios: int
    timeout_s: float
    all_sizes: bool
    cold: bool
    work: Path

    def environment(self, caches: Path | None) -> dict[str, str]:
        """``caches``: where compiled kernels lie, for runs of which the first is cold; None: where they always lie."""
        return {
            **threads_environment(self.threads),
            "OMP_WAIT_POLICY": "PASSIVE",
            **({} if caches is None else {"NUMBA_CACHE_DIR": str(caches / "numba"), "XDG_CACHE_HOME": str(caches)}),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH", "")])),
        }

    def call(self, what: list[str], out: Path, caches: Path | None = None) -> Run:
        """One measured process, its output in ``out/log``."""
        out.mkdir(parents=True, exist_ok=True)
        result = run(what, log=out / "log", environment=self.environment(caches), folder=out, timeout_s=self.timeout_s)
        print(f"  {out.name:>16}: {result.wall_s:8.2f} s {result.peak_mib:8.0f} MiB", flush=True)
        return result

    def own(self, script: str, *arguments: str, out: Path) -> tuple[Run, dict[str, Any]]:
        """One of the scripts beside this file, and its record."""
        result = self.call([sys.executable, str(HERE / script), *arguments], out)
        if failed(result):
            raise SystemExit(f"{script} ended with status {result.status}:\n{_tail(out / 'log')}")
        return result, json.loads((out / "record.json").read_text())


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def _record(out: Path) -> dict[str, Any]:
    file = out / "record.json"
    return json.loads(file.read_text()) if file.is_file() else {}


def measured(bench: Bench, dofs: int, programs: list[Program], versions: dict[str, str | None]) -> dict[str, Any]:
    """Everything of one size."""
    folder = bench.work / str(dofs)
    models, outs, caches = folder / "models", folder / "out", folder / "caches" if bench.cold else None
    print(f"{dofs} displacements: model", flush=True)
    for name in ("common", "paired"):
        extra = ["--paired"] if name == "paired" else []
        built = models / name
        result = bench.call(
            [sys.executable, str(HERE / "model.py"), str(dofs), str(built), *extra], folder / f"build-{name}"
        )
        if failed(result):
            raise SystemExit(f"the model could not be built:\n{_tail(folder / f'build-{name}' / 'log')}")
    status, taken = {}, []
    for program in programs:
        if versions[program.name] is None:
            status[program.name] = "not installed"
        elif dofs > program.most_dofs and not bench.all_sizes:
            status[program.name] = f"left out above {program.most_dofs} displacements"
        else:
            taken.append(program)
    touch_memory(min(MOST_TOUCHED_GIB, 0.5 * available_gib()))

    def once(program: Program) -> Run:
        return bench.call(program.command(bench.python, models, outs / program.name), outs / program.name, caches)

    if bench.cold:
        print("cold", flush=True)
    cold = {program.name: once(program).asdict() for program in taken if program.compiles and bench.cold}
    runs: dict[str, list[dict[str, float]]] = {program.name: [] for program in taken}
    for repeat in range(bench.repeats):
        print(f"round {repeat + 1} of {bench.repeats}", flush=True)
        for program in list(taken):
            result = once(program)
            if failed(result):
                status[program.name] = f"failed with status {result.status}: {_tail(outs / program.name / 'log')}"
                taken.remove(program)
                del runs[program.name]
            else:
                runs[program.name].append(result.asdict())
    for program in taken:
        status[program.name] = "ran"
    if "sacrofem" not in runs:
        raise SystemExit(status["sacrofem"])
    found = differences(taken, models, outs)
    entry: dict[str, Any] = {
        "model": {name: json.loads((models / name / "model.json").read_text()) for name in ("common", "paired")},
        "status": status,
        "runs": runs,
        "cold_runs": cold,
        "records": {program.name: _record(outs / program.name) for program in taken},
        "difference_from_sacrofem": found,
        "difference_allowed": {program.name: program.exact for program in taken if program.name in found},
    }
    entry["medians"] = {
        name: {key: statistics.median(r[key] for r in some) for key in ("wall_s", "cpu_s", "peak_mib")}
        for name, some in runs.items()
    }
    print("assembly, bandwidth, scenarios", flush=True)
    entry["assembly"] = assembly(bench, dofs, models, outs)
    entry["bandwidth"] = bench.own(
        "bandwidth.py", str(models / "common"), str(outs / "bandwidth"), out=outs / "bandwidth"
    )[1]
    entry["scenarios"] = scenarios(bench, dofs, models, outs)
    return {**ratios(entry), **entry}


def assembly(bench: Bench, dofs: int, models: Path, outs: Path) -> dict[str, Any]:
    """sacrofem and scikit-fem in alternation; medians of their records."""
    whom = ["sacrofem"] if dofs > MOST_DOFS_SKFEM_ASSEMBLY and not bench.all_sizes else ["sacrofem", "skfem"]
    found: dict[str, Any] = {name: [] for name in whom}
    for _ in range(bench.repeats):
        for name in whom:
            out = outs / f"assembly-{name}"
            found[name].append(bench.own("assembly.py", name, str(models / "common"), str(out), out=out)[1])
    if len(whom) == 2:
        norms = [found[name][0]["norm"] for name in whom]
        if not math.isclose(*norms, rel_tol=1e-12):
            raise SystemExit(f"the assembled matrices differ: norms {norms[0]!r} and {norms[1]!r}")
    keys = ("assemble_s", "with_setup_s", "memory_mib")
    medians = {name: {key: statistics.median(r[key] for r in some) for key in keys} for name, some in found.items()}
    return {"runs": found, "medians": medians}


def scenarios(bench: Bench, dofs: int, models: Path, outs: Path) -> dict[str, Any]:
    """Cement plans through the scenario engine."""
    long = dofs <= MOST_DOFS_LONG_SERIES or bench.all_sizes
    count = bench.scenarios if long else min(bench.scenarios, SHORT_SERIES)
    result, record = bench.own(
        "scenarios.py", str(models / "common"), str(outs / "scenarios"), str(count), out=outs / "scenarios"
    )
    return {**record, "peak_mib": result.peak_mib, "per_minute": 60.0 / record["scenario_s"]}


def ratios(entry: dict[str, Any]) -> dict[str, Any]:
    """The keys that the README quotes; None where the other program did not run."""
    medians, plans = entry["medians"], entry["scenarios"]
    mine = medians["sacrofem"]

    def over(name: str, key: str, own: float) -> float | None:
        return medians[name][key] / own if name in medians else None

    others = {n: m["wall_s"] for n, m in medians.items() if n not in ("sacrofem", "sacrofem-paired", "calculix")}
    fastest = min(others, key=others.__getitem__) if others else None
    both = entry["assembly"]["medians"]

    def assembled(key: str) -> float | None:
        # An assembly that stays below what the process held before counts as one MiB.
        least = 1.0 if key == "memory_mib" else 0.0
        return both["skfem"][key] / max(both["sacrofem"][key], least) if "skfem" in both else None

    return {
        "assembly_ratio_skfem": assembled("assemble_s"),
        "assembly_with_setup_ratio_skfem": assembled("with_setup_s"),
        "assembly_memory_ratio_skfem": assembled("memory_mib"),
        "solve_ratio_calculix": over("calculix", "wall_s", mine["wall_s"]),
        "memory_ratio_calculix": over("calculix", "peak_mib", mine["peak_mib"]),
        "fastest_other_peer": fastest,
        "solve_ratio_fastest_other_peer": others[fastest] / mine["wall_s"] if fastest else None,
        "scenario_ratio_calculix": over("calculix", "wall_s", plans["scenario_s"]),
        "scenario_ratio_fresh": plans["fresh_s"] / plans["scenario_s"],
        "scenario_s": plans["scenario_s"],
        "scenarios_per_minute": plans["per_minute"],
        "bandwidth_share": entry["bandwidth"]["share"],
        "iterations": entry["records"]["sacrofem"]["iterations"],
        "growth_exponent": None,
    }


def growth_exponent(entries: dict[str, dict[str, Any]], key: str = "wall_s") -> float | None:
    """Slope of log time over log displacements, sacrofem as a whole process; None with one size."""
    if len(entries) < 2:
        return None
    dofs = [entry["model"]["common"]["dofs"] for entry in entries.values()]
    seconds = [entry["medians"]["sacrofem"][key] for entry in entries.values()]
    return float(np.polyfit(np.log(dofs), np.log(seconds), 1)[0])


def disagreements(entries: dict[str, dict[str, Any]]) -> list[str]:
    """What a reader must not overlook: answers that differ, programs that failed."""
    found = []
    for dofs, entry in entries.items():
        for name, difference in entry["difference_from_sacrofem"].items():
            if not difference <= (allowed := entry["difference_allowed"][name]):
                found.append(f"{dofs}: {name} differs from sacrofem by {difference:.2g}, allowed {allowed:g}")
        found += [f"{dofs}: {name} {text}" for name, text in entry["status"].items() if text.startswith("failed")]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dofs", default="60000,260000", help="sizes, separated by commas")
    parser.add_argument("--json", type=Path, help="every figure and every raw time")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of the table and the plot")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scenarios", type=int, default=200, help="cement plans in a series")
    parser.add_argument("--peers", help="only these programs beside sacrofem, separated by commas")
    parser.add_argument("--python-peers", default=sys.executable, help="interpreter that has the Python peers")
    parser.add_argument("--all-sizes", action="store_true", help="run every program at every size")
    parser.add_argument("--warm", action="store_true", help="no cold runs; kernels may be compiled already")
    parser.add_argument("--timeout", type=float, default=3600.0, help="seconds for one process")
    parser.add_argument("--work", type=Path, help="folder for models and outputs, kept (default: a temporary one)")
    given = parser.parse_args()
    programs = chosen(given.peers.split(",") if given.peers else None)
    versions = {p.name: p.version(given.python_peers) for p in programs}
    sizes = sorted({int(text) for text in given.dofs.split(",")})
    about = {**machine(given.threads), "versions": versions, "repeats": given.repeats, "ratios": RATIOS}
    with tempfile.TemporaryDirectory(prefix="sacrofem-bench-") as temporary:
        bench = Bench(
            given.python_peers, given.threads, given.repeats, given.scenarios, given.timeout, given.all_sizes,
            not given.warm, (given.work or Path(temporary)).resolve(),
        )  # fmt: skip
        entries = {}
        for dofs in sizes:
            entries[str(dofs)] = measured(bench, dofs, programs, versions)
            exponent = growth_exponent(entries)
            for entry in entries.values():
                entry["growth_exponent"] = exponent
            about["load_average_after"] = list(os.getloadavg())
            # After every size: an hour of measurements should not hang on the last one.
            if given.json:
                given.json.write_text(json.dumps({**entries, "machine": about}, indent=1) + "\n")
    given.out.mkdir(parents=True, exist_ok=True)
    text = table(entries, about)
    (given.out / "comparison.md").write_text(text)
    plot(entries, given.out / "comparison.png")
    print(text)
    if problems := disagreements(entries):
        raise SystemExit("\n".join(problems))


if __name__ == "__main__":
    main()
