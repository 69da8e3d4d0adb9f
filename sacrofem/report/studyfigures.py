"""Pictures of a study: a curve for every number that was varied, maps of pairs, bars of sensitivity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from sacrofem.study.sensitivity import Index

Row = Mapping[str, Any]
_MOST_MAPS = 6


def numeric(rows: Sequence[Row], column: str) -> bool:
    """Whether a column holds numbers, and more than one of them."""
    values = [row.get(column) for row in rows]
    numbers = {value for value in values if isinstance(value, int | float) and not isinstance(value, bool)}
    return len(numbers) > 1 and all(value is None or value in numbers for value in values)


def response_figure(
    rows: Sequence[Row],
    factor: str,
    measures: Mapping[str, str],
    *,
    bands: Mapping[str, float] | None = None,
    lines: bool = True,
) -> Figure:
    """Measures over a factor: every scenario as a point, the mean at equal values as a line.

    Parameters
    ----------
    rows
        Of the table.
    factor
        A column of numbers.
    measures
        Columns of changes, and what they are called.
    bands
        Half widths of the mesh band of changes, as shares, where there are any.
    lines
        Whether equal values of the factor meet the same values of all others, so that their means are comparable.
    """
    figure = Figure(figsize=(6.8, 4.2), layout="constrained")
    ax = figure.subplots()
    for number, (key, name) in enumerate(measures.items()):
        points = [(float(r[factor]), 100.0 * float(r[key])) for r in rows if isinstance(r.get(key), int | float)]
        if not points:
            continue
        x, y = np.array(points).T
        levels = np.unique(x)
        ax.plot(x, y, ls="", marker="o", ms=3.5, alpha=0.55, color=f"C{number}", label=name)
        if lines:
            mean = np.array([y[x == level].mean() for level in levels])
            ax.plot(levels, mean, color=f"C{number}", lw=1.6)
            if bands and key in bands:
                half = 100 * bands[key]
                ax.fill_between(levels, mean - half, mean + half, color=f"C{number}", alpha=0.15, lw=0)
    ax.axhline(0.0, color="0.6", lw=0.8)
    ax.set(xlabel=factor, ylabel="change by cement / %")
    ax.legend(frameon=False)
    return figure


def map_figure(rows: Sequence[Row], one: str, other: str, measure: str, name: str) -> Figure:
    """A measure over two factors, the mean over all others in every cell."""
    xs = sorted({float(row[one]) for row in rows})
    ys = sorted({float(row[other]) for row in rows})
    grid = np.full((len(ys), len(xs)), np.nan)
    for i, y in enumerate(ys):
        for j, x in enumerate(xs):
            cell = [
                100.0 * float(row[measure])
                for row in rows
                if float(row[one]) == x and float(row[other]) == y and isinstance(row.get(measure), int | float)
            ]
            if cell:
                grid[i, j] = np.mean(cell)
    figure = Figure(figsize=(1.1 * len(xs) + 3.2, 0.7 * len(ys) + 2.0), layout="constrained")
    ax = figure.subplots()
    image = ax.imshow(grid, cmap="cividis", origin="lower", aspect="auto")
    ax.set_xticks(range(len(xs)), [f"{x:g}" for x in xs])
    ax.set_yticks(range(len(ys)), [f"{y:g}" for y in ys])
    ax.set(xlabel=one, ylabel=other)
    low, high = np.nanmin(grid), np.nanmax(grid)
    for i, j in np.argwhere(np.isfinite(grid)):
        dark = grid[i, j] < 0.5 * (low + high)
        ax.text(j, i, f"{grid[i, j]:+.0f}", ha="center", va="center", fontsize=9, color="white" if dark else "black")
    figure.colorbar(image, ax=ax, label=f"{name}: change / %")
    return figure


def maps(columns: Sequence[str], rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Pairs of factors of which a map can be drawn: few levels each, no more than six maps."""
    few = [c for c in columns if numeric(rows, c) and len({row[c] for row in rows}) <= 8]
    pairs = [(a, b) for k, a in enumerate(few) for b in few[k + 1 :]]
    return pairs[:_MOST_MAPS]


def tornado_figure(effects: Mapping[str, tuple[float, float]], name: str) -> Figure:
    """One-at-a-time: the range of a measure (per cent) over the levels of every factor, the widest on top.

    Parameters
    ----------
    effects
        Lowest and highest change by factor, per cent.
    name
        Of the measure.
    """
    order = sorted(effects, key=lambda key: effects[key][1] - effects[key][0])
    figure = Figure(figsize=(7.0, 0.45 * len(order) + 1.4), layout="constrained")
    ax = figure.subplots()
    for place, key in enumerate(order):
        low, high = effects[key]
        ax.barh(place, high - low, left=low, color="C0", height=0.62)
    ax.set_yticks(range(len(order)), order)
    ax.set_xlabel(f"{name}: change by cement / %")
    return figure


def index_figure(found: Sequence[Index], measure: str, name: str) -> Figure:
    """Bars of Morris' μ* (with σ as a point) or of Sobol' first and total indices, with 95 % intervals."""
    mine = [index for index in found if index.measure == measure]
    morris = any(index.index == "mu_star" for index in mine)
    kinds = ("mu_star",) if morris else ("ST", "S1")
    by = {(index.index, index.factor): index for index in mine}
    factors = sorted({index.factor for index in mine}, key=lambda factor: by[kinds[0], factor].value)
    figure = Figure(figsize=(7.0, 0.5 * len(factors) + 1.6), layout="constrained")
    ax = figure.subplots()
    scale = 100.0 if morris else 1.0
    labels = {"mu_star": "μ*", "ST": "total (ST)", "S1": "alone (S1)"}
    for number, kind in enumerate(kinds):
        height = 0.62 / len(kinds)
        places = np.arange(len(factors)) + (number - 0.5 * (len(kinds) - 1)) * height
        values = [scale * by[kind, factor].value for factor in factors]
        widths = [scale * (by[kind, factor].half_width or 0.0) for factor in factors]
        ax.barh(places, values, height, xerr=widths, label=labels[kind], error_kw={"lw": 1.0, "capsize": 2.5})
    if morris:
        sigma = [scale * by["sigma", factor].value if ("sigma", factor) in by else 0.0 for factor in factors]
        ax.plot(sigma, range(len(factors)), ls="", marker="D", ms=5, color="0.15", label="σ (interaction, curvature)")
    ax.set_yticks(range(len(factors)), factors)
    unit = "percentage points over the range of the factor" if morris else "share of the variance"
    ax.set_xlabel(f"{name}\n{unit}")
    ax.legend(frameon=False, loc="lower right")
    return figure
