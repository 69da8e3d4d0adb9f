"""A ladder of meshes as people read it: table, figure and folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sacrofem.case.identity import identity
from sacrofem.report.text.bands import UNCONVERGED, plus_minus, points
from sacrofem.report.text.table import HEADLINES, label, number, unit
from sacrofem.system.files import json_text
from sacrofem.system.folders import result_folder

if TYPE_CHECKING:
    from rich.table import Table

    from sacrofem.study.convergence import Convergence, Part
    from sacrofem.study.order import Estimate

# The first four of these that exist are drawn.
_DRAWN = (
    "micromotion_mean_um",
    "fracture_von_mises_mean_mpa",
    "lesion_von_mises_p95_mpa",
    "lesion_min_principal_strain_p95",
    "front_max_principal_p95_mpa",
    "fracture_cortex_von_mises_p95_mpa",
    "stiffness_n_per_mm",
)
LEAST_HALF_POINTS = 7.5
_COLOURS = {"before": "#d1782c", "after": "#1b7f79", "change": "0.25"}


def table_rows(result: Convergence) -> list[tuple[str, ...]]:
    """Measure, unit, what, one value a mesh, observed order, band: of every headline measure that exists."""
    found = []
    for key in HEADLINES:
        parts = result.estimates.get(key)
        if parts is None:
            continue
        for part, estimate in parts.items():
            if estimate is not None:
                found.append(_row(result, key, part, estimate))
    return found


def _row(result: Convergence, key: str, part: Part, estimate: Estimate) -> tuple[str, ...]:
    name, factor = unit(key)
    values = [getattr(level, part)[key] for level in result.levels]
    if part == "change":
        name, texts, band = "%", [f"{100 * value:+.1f}" for value in values], points(estimate.half_width)
    else:
        texts, band = [number(value, factor) for value in values], plus_minus(estimate.half_width, factor)
    order = "–" if estimate.order is None else f"{estimate.order:.1f}"
    return label(key), name, part, *texts, order, band if estimate.converged else UNCONVERGED


def terminal_table(result: Convergence) -> Table:
    """A rich table of the headline measures."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("measure")
    table.add_column("unit", no_wrap=True)
    table.add_column("", no_wrap=True)
    for level in result.levels:
        table.add_column(f"{level.name}\n{level.size_mm:.1f} mm", justify="right", no_wrap=True)
    for name in ("order", "mesh band"):
        table.add_column(name, justify="right", no_wrap=True)
    last = None
    for name, *rest in table_rows(result):
        # A measure is named once: its three lines belong together.
        table.add_row("" if name == last else name, *rest)
        last = name
    return table


def convergence_figure(result: Convergence, *, title: str = "") -> Figure:
    """Leading measures over the edge length: before and after above, their change below.

    The bar on the case's own mesh is the mesh band; a dashed line leads to the extrapolated value where
    the order is believed. What does not converge says so.
    """
    keys = [key for key in _DRAWN if key in result.estimates][:4]
    sizes = [level.size_mm for level in result.levels]
    broken = result.case.fracture.zone != "none" or result.case.fracture.surfaces
    where = " at the fracture" if broken else ""
    figure = Figure(figsize=(2.9 * max(len(keys), 1) + 0.4, 5.0), layout="constrained")
    axes = figure.subplots(2, max(len(keys), 1), squeeze=False, sharex=True)
    for column, key in zip(axes.T, keys, strict=False):
        name, factor = unit(key)
        for part in ("before", "after"):
            _draw(column[0], result, sizes, key, part, factor)
        _draw(column[1], result, sizes, key, "change", 100.0)
        column[0].set_title(label(key), fontsize=9)
        column[0].set_ylabel(name, fontsize=8)
        column[0].set_ylim(bottom=0.0 if column[0].get_ylim()[0] > 0 else None)
        middle, half = sum(column[1].get_ylim()) / 2, (column[1].get_ylim()[1] - column[1].get_ylim()[0]) / 2
        # Never closer than this, or a tenth of a point would look like a jump.
        half = max(half, LEAST_HALF_POINTS)
        column[1].set_ylim(middle - half, middle + half)
        column[1].set_ylabel("change / %", fontsize=8)
        column[1].set_xlabel(f"edge length{where} / mm", fontsize=8)
        for ax in column:
            ax.set_xlim(0.0, 1.08 * max(sizes))
            ax.tick_params(labelsize=8)
            ax.grid(color="0.92")
            for side in ("top", "right"):
                ax.spines[side].set_visible(False)
    handles = [Line2D([], [], color=_COLOURS[name], marker="o", ms=4, label=name) for name in ("before", "after")]
    handles.append(Line2D([], [], color="0.25", marker="|", ls="none", ms=12, label="mesh band"))
    handles.append(Line2D([], [], color="0.25", marker="D", mfc="white", ls="--", lw=0.9, ms=4, label="extrapolated"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    preview = " (P1, a preview)" if result.case.mesh.order == 1 else ""
    figure.suptitle((title or f"Convergence — {result.case.name}") + preview, fontsize=11)
    return figure


def _draw(ax: Any, result: Convergence, sizes: list[float], key: str, part: Part, factor: float) -> None:
    estimate = result.estimates[key][part]
    if estimate is None:
        return
    values = [factor * getattr(level, part)[key] for level in result.levels]
    colour = _COLOURS[part]
    ax.plot(sizes, values, "o-", color=colour, lw=1.2, ms=4, label=part)
    if not estimate.converged:
        ax.text(0.97, 0.04, f"{part}: {UNCONVERGED}", transform=ax.transAxes, ha="right", fontsize=8, color=colour)
        return
    own, half = result.own, factor * estimate.half_width
    ax.errorbar(sizes[own], values[own], yerr=abs(half), color=colour, capsize=4, elinewidth=1.4)
    if estimate.limit is not None:
        limit = factor * estimate.limit
        ax.plot([0.0, sizes[-1]], [limit, values[-1]], "--", color=colour, lw=0.9)
        ax.plot(0.0, limit, "D", color=colour, ms=4, mfc="white", clip_on=False)


def write_convergence(folder: Path, result: Convergence, *, seconds: float, inputs: Mapping[str, str]) -> None:
    """Leave a ladder in a folder: convergence.json, figures, case.toml and the manifest.

    Parameters
    ----------
    folder
        Checked by ``sacrofem.system.folders.check_folder``.
    result
    seconds
        Wall time of the ladder.
    inputs
        Hash of each file that was read, by name.

    Raises
    ------
    EnvironmentFailure
    """
    of = identity("converge", result.case)
    with result_folder(folder, of=of, seconds=round(seconds, 3), inputs=dict(inputs)) as stage:
        (stage / "convergence.json").write_text(json_text(result.to_json()), encoding="utf-8")
        (stage / "case.toml").write_text(result.case.to_toml(), encoding="utf-8")
        figure = convergence_figure(result)
        for kind in ("png", "svg"):
            figure.savefig(stage / f"convergence.{kind}", dpi=200)
