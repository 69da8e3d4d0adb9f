"""The comparison as a Markdown table and a plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

LABELS = {
    "sacrofem": "sacrofem",
    "sacrofem-paired": "sacrofem, gap as paired faces",
    "calculix": "CalculiX",
    "skfem": "scikit-fem",
    "dolfinx": "DOLFINx",
    "felupe": "FElupe",
    "ngsolve": "NGSolve",
    "sfepy": "SfePy",
}
RATIOS = {
    "assembly_ratio_skfem": ("assembly, scikit-fem over sacrofem", "{:.0f}×"),
    "assembly_memory_ratio_skfem": ("memory of the assembly, the same", "{:.0f}×"),
    "solve_ratio_calculix": ("one solve, CalculiX over sacrofem", "{:.1f}×"),
    "memory_ratio_calculix": ("peak memory, CalculiX over sacrofem", "{:.1f}×"),
    "solve_ratio_fastest_other_peer": ("one solve, fastest other program over sacrofem", "{:.1f}×"),
    "scenario_s": ("a further cement plan", "{:.2f} s"),
    "scenarios_per_minute": ("cement plans a minute", "{:.0f}"),
    "scenario_ratio_calculix": ("a fresh CalculiX run over a further plan", "{:.0f}×"),
    "scenario_ratio_fresh": ("a fresh solve of our own over a further plan", "{:.1f}×"),
    "iterations": ("iterations", "{:d}"),
    "bandwidth_share": ("share of the memory bandwidth", "{:.0%}"),
    "growth_exponent": ("growth exponent of time", "{:.2f}"),
}
Entries = dict[str, dict[str, Any]]


def table(entries: Entries, machine: dict[str, Any]) -> str:
    """Seconds and memory of whole processes, then the ratios."""
    sizes = list(entries)
    head = "| | " + " | ".join(f"{entries[s]['model']['common']['dofs']:,} unknowns" for s in sizes) + " |"
    lines = [head, "|---|" + "---:|" * len(sizes)]
    for name, version in machine["versions"].items():
        cells = [_run(entries[size], name) for size in sizes]
        lines.append(f"| {LABELS[name]}{' ' + version if version else ''}{_solver(entries, name)} | {_row(cells)}")
    for key, (label, form) in RATIOS.items():
        values = [entries[size].get(key) for size in sizes]
        lines.append(f"| {label} | {_row(['–' if v is None else form.format(v) for v in values])}")
    load = ", ".join(f"{machine[f'load_average_{when}'][0]:.1f} {when}" for when in ("before", "after"))
    lines += [
        "",
        f"{machine['processor']}, {machine['threads']} threads of {machine['cores']} cores, medians of "
        f"{machine['repeats']} runs in alternation, whole processes with all files; load average {load}.",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return " | ".join(cells) + " |"


def _solver(entries: Entries, name: str) -> str:
    for entry in entries.values():
        if solver := entry["records"].get(name, {}).get("solver"):
            return f", {solver}"
    return ""


def _run(entry: dict[str, Any], name: str) -> str:
    if name in entry["medians"]:
        median = entry["medians"][name]
        cold = entry["cold_runs"].get(name)
        first = f" (first run {cold['wall_s']:.1f} s)" if cold else ""
        return f"{median['wall_s']:.1f} s{first}, {median['peak_mib'] / 1024:.2f} GiB"
    return entry["status"].get(name, "–").split(":")[0]


def plot(entries: Entries, path: Path) -> None:
    """Time and memory over the number of unknowns, both logarithmic, every run a point."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    names = [name for name in LABELS if any(name in entry["medians"] for entry in entries.values())]
    for colour, name in enumerate(names):
        some = [entry for entry in entries.values() if name in entry["medians"]]
        own = name.startswith("sacrofem")
        style = {"color": f"C{colour}", "linewidth": 2.2 if own else 1.2, "linestyle": "-" if own else "--"}
        for axis, key, scale in ((axes[0], "wall_s", 1.0), (axes[1], "peak_mib", 1024.0)):
            dofs = [entry["model"]["paired" if name.endswith("paired") else "common"]["dofs"] for entry in some]
            axis.plot(dofs, [e["medians"][name][key] / scale for e in some], **style, label=LABELS[name])
            for n, entry in zip(dofs, some, strict=True):
                runs = [r[key] / scale for r in entry["runs"][name]]
                axis.plot([n] * len(runs), runs, "o", color=f"C{colour}", markersize=3)
    for axis, label in zip(axes, ("whole process, s", "peak memory, GiB"), strict=True):
        axis.set(xscale="log", yscale="log", xlabel="displacement unknowns", ylabel=label)
        axis.grid(alpha=0.3, which="both")
    axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)
