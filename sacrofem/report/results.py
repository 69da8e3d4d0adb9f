"""The folder that a comparison leaves."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sacrofem.case.identity import identity
from sacrofem.system.files import json_text, sha256
from sacrofem.system.folders import peak_memory_mib, result_folder, versions

if TYPE_CHECKING:
    from sacrofem.specimen.comparison import Comparison


def write_comparison(folder: Path, comparison: Comparison, *, seconds: float, inputs: Mapping[str, str]) -> None:
    """Leave a comparison in a folder: JSON, meshes with fields, figures, report, case and manifest.

    Parameters
    ----------
    folder
        Checked by `check_folder`.
    comparison
    seconds
        Wall time of the comparison.
    inputs
        Hash of each file that was read, by name.

    Raises
    ------
    EnvironmentFailure
    """
    from sacrofem.report.figures import comparison as figures
    from sacrofem.report.page import html
    from sacrofem.report.page.scene import scene_of
    from sacrofem.report.solutionfile import write_solution

    facts = {
        "seconds": round(seconds, 3),
        "solver_seconds": round(comparison.seconds, 3),
        "inputs": dict(inputs),
    }
    with result_folder(folder, of=identity("compare", comparison.case), **facts) as stage:
        content = comparison.to_json()
        (stage / "comparison.json").write_text(json_text(content), encoding="utf-8")
        (stage / "case.toml").write_text(html.case_text(content), encoding="utf-8")
        for name, solution in comparison.solutions.items():
            write_solution(stage / f"{name}.vtu", solution.fields)
        for name, figure in figures.comparison_figures(comparison).items():
            figure.savefig(stage / f"{name}.png", dpi=200)
        run = {
            **facts,
            "versions": versions(),
            "platform": platform.platform(),
            "peak_memory_mib": peak_memory_mib(),
            "files": {path.name: sha256(path) for path in sorted(stage.iterdir()) if path.suffix != ".png"},
        }
        page = html.render(content, _pictures(stage), scene=scene_of(comparison), run=run)
        (stage / "report.html").write_text(page, encoding="utf-8")


def _pictures(stage: Path) -> dict[str, Path]:
    """Every figure of a result by name: ours in the order of the report, others behind them."""
    from sacrofem.report.figures.comparison import FIGURES

    found = {path.stem: path for path in sorted(stage.glob("*.png"))}
    order = [name for name in FIGURES if name in found]
    return {name: found[name] for name in (*order, *sorted(found.keys() - set(order)))}
