"""Pictures of a study: curves over every number that was varied, maps of pairs, bars of what decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sacrofem.report.figures.drawing import CYCLE
from sacrofem.report.text.studywords import factor_label, is_number, shown
from sacrofem.study.sensitivity import Index

Row = Mapping[str, Any]
#: Half widths of the mesh band of a change, as shares, by scenario and column.
Bands = Mapping[tuple[int, str], float]
_MOST_MAPS = 6
_MOST_LEVELS = 8
_MOST_LINES = len(CYCLE)
_LEADING = ("mu_star", "ST")
_MARKERS = "osD^vP"
_BLUE, _ORANGE = "#2a6fa8", "#d1782c"


@dataclass(frozen=True)
class Effect:
    """Of one factor alone: its change at the first level, and its lowest and highest with their levels, per cent."""

    first: float
    low: float
    high: float
    low_level: str
    high_level: str


def numeric(rows: Sequence[Row], column: str) -> bool:
    """Whether a column holds numbers, and more than one of them."""
    values = [row.get(column) for row in rows]
    numbers = {value for value in values if is_number(value)}
    return len(numbers) > 1 and all(value is None or is_number(value) for value in values)


def response_figure(
    rows: Sequence[Row],
    factor: str,
    measures: Mapping[str, str],
    *,
    others: Sequence[str] = (),
    bands: Bands | None = None,
    lines: bool = True,
    log: bool = False,
    colour: str | None = None,
) -> Figure:
    """Measures over a factor, one panel each: a line for every combination of the other factors, or points.

    Parameters
    ----------
    rows
        Of the table.
    factor
        A column of numbers.
    measures
        Columns of changes, and what they are called.
    others
        The other factors that were varied.
    bands
        Half widths of the mesh band, where there are any.
    lines
        Whether scenarios that share all other factors are joined; else every scenario is a point.
    log
        Logarithmic axis of the factor; it has one too where they span more than a decade.
    colour
        Of points: a column of numbers that colours them.
    """
    figure = Figure(figsize=(3.5 * len(measures) + 0.4, 3.6), layout="constrained")
    axes = figure.subplots(1, len(measures), squeeze=False)[0]
    drawn = None
    for ax, (key, name) in zip(axes, measures.items(), strict=True):
        mine = [row for row in rows if is_number(row.get(key)) and is_number(row.get(factor))]
        if lines:
            _draw_lines(ax, mine, factor, key, others)
        else:
            drawn = _draw_points(ax, mine, factor, key, colour) or drawn
        for row in mine:
            half = (bands or {}).get((int(row["scenario"]), key))
            if half is not None:
                ax.errorbar(row[factor], 100 * row[key], yerr=100 * half, color="0.1", capsize=4, lw=1.4, zorder=5)
        ax.axhline(0.0, color="0.6", lw=0.8)
        if log or _spans_decades([float(row[factor]) for row in mine]):
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter("{x:g}")
        ax.set_title(name, fontsize=10)
        ax.set_xlabel(factor_label(factor))
        ax.grid(color="0.92")
    axes[0].set_ylabel("change by cement / %")
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 3), frameon=False)
    if drawn is not None and colour is not None:
        figure.colorbar(drawn, ax=list(axes), label=factor_label(colour), format="{x:g}")
    return figure


def _spans_decades(values: Sequence[float]) -> bool:
    return len(values) > 0 and min(values) > 0 and max(values) > 20 * min(values)


def _draw_lines(ax: Any, rows: Sequence[Row], factor: str, key: str, others: Sequence[str]) -> None:
    varied = [name for name in others if len({str(row.get(name)) for row in rows}) > 1]
    curves: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for row in rows:
        combination = tuple(shown(row.get(name)) for name in varied)
        curves.setdefault(combination, []).append((float(row[factor]), 100.0 * float(row[key])))
    if len(curves) <= _MOST_LINES:
        for number, (combination, points) in enumerate(curves.items()):
            text = ", ".join(f"{factor_label(n)}: {v}" for n, v in zip(varied, combination, strict=True))
            style = {"color": CYCLE[number], "marker": _MARKERS[number], "ms": 4.5, "lw": 1.5}
            ax.plot(*np.array(sorted(points)).T, **style, label=text or None)
        return
    for points in curves.values():
        ax.plot(*np.array(sorted(points)).T, color="0.65", lw=0.7, alpha=0.7)
    x, y = np.array([point for points in curves.values() for point in points]).T
    levels = np.unique(x)
    mean = [y[x == level].mean() for level in levels]
    ax.plot(levels, mean, color=_BLUE, marker="o", ms=4.5, lw=2.0, label=f"mean of {len(curves)} curves")


def _draw_points(ax: Any, rows: Sequence[Row], factor: str, key: str, colour: str | None) -> Any:
    if not rows:
        return None
    x, y = np.array([(float(row[factor]), 100.0 * float(row[key])) for row in rows]).T
    if colour is None:
        return ax.plot(x, y, ls="", marker="o", ms=4, alpha=0.6, color=_BLUE) and None
    values = np.array([float(row[colour]) for row in rows])
    norm: Normalize = LogNorm() if _spans_decades(list(values)) else Normalize()
    return ax.scatter(x, y, c=values, cmap="viridis", norm=norm, s=16, alpha=0.9, linewidths=0.3, edgecolors="0.3")


def map_figure(rows: Sequence[Row], one: str, other: str, measures: Mapping[str, str]) -> Figure:
    """Measures over two factors, one panel each; a cell holds the mean over all other factors."""
    xs = sorted({float(row[one]) for row in rows})
    ys = sorted({float(row[other]) for row in rows})
    figure = Figure(figsize=((0.62 * len(xs) + 1.9) * len(measures), 0.5 * len(ys) + 1.7), layout="constrained")
    axes = figure.subplots(1, len(measures), squeeze=False, sharey=True)[0]
    for ax, (key, name) in zip(axes, measures.items(), strict=True):
        grid = _grid(rows, one, other, key, xs, ys)
        image = ax.imshow(np.ma.masked_invalid(grid), cmap="cividis", origin="lower", aspect="auto")
        ax.set_xticks(range(len(xs)), [f"{x:g}" for x in xs])
        ax.set_yticks(range(len(ys)), [f"{y:g}" for y in ys])
        ax.set_xlabel(factor_label(one))
        ax.set_title(name, fontsize=9, wrap=True)
        if np.isfinite(grid).any():
            middle = 0.5 * (np.nanmin(grid) + np.nanmax(grid))
            for i, j in np.argwhere(np.isfinite(grid)):
                ink = "white" if grid[i, j] <= middle else "black"
                ax.text(j, i, f"{grid[i, j]:+.0f}", ha="center", va="center", fontsize=9, color=ink)
        figure.colorbar(image, ax=ax)
    axes[0].set_ylabel(factor_label(other))
    figure.supxlabel("change by cement / %", fontsize=9)
    return figure


def _grid(
    rows: Sequence[Row], one: str, other: str, key: str, xs: Sequence[float], ys: Sequence[float]
) -> NDArray[np.float64]:
    cells: dict[tuple[float, float], list[float]] = {}
    for row in rows:
        if is_number(row.get(key)):
            cells.setdefault((float(row[other]), float(row[one])), []).append(100.0 * float(row[key]))
    return np.array([[np.mean(cells[y, x]) if (y, x) in cells else np.nan for x in xs] for y in ys])


def maps(columns: Sequence[str], rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Pairs of factors of which a map can be drawn: few levels each, no more than six maps."""
    few = [c for c in columns if numeric(rows, c) and len({row[c] for row in rows}) <= _MOST_LEVELS]
    pairs = [(a, b) for k, a in enumerate(few) for b in few[k + 1 :]]
    return pairs[:_MOST_MAPS]


def tornado_figure(effects: Mapping[str, Effect], name: str) -> Figure:
    """One at a time: the range of a measure over the levels of every factor, the widest on top.

    Parameters
    ----------
    effects
        By factor.
    name
        Of the measure.
    """
    order = sorted(effects, key=lambda key: effects[key].high - effects[key].low)
    figure = Figure(figsize=(7.2, 0.5 * len(order) + 1.4), layout="constrained")
    ax = figure.subplots()
    for place, key in enumerate(order):
        effect = effects[key]
        ax.barh(place, effect.high - effect.low, left=effect.low, color=_BLUE, height=0.6)
        for end, text, side, gap in (
            (effect.low, effect.low_level, "right", -4),
            (effect.high, effect.high_level, "left", 4),
        ):
            ax.annotate(text, (end, place), (gap, 0), textcoords="offset points", ha=side, va="center", fontsize=8)
    if order:
        ax.axvline(effects[order[0]].first, color="0.15", lw=1.0, ls="--", label="all factors at their first value")
        ax.legend(frameon=False, loc="lower right", fontsize=8)
    ax.set_yticks(range(len(order)), [factor_label(key) for key in order])
    # The labels of the ends need room that a bar would not leave.
    ax.use_sticky_edges = False
    ax.margins(x=0.15)
    ax.set_xlabel(f"{name}: change by cement / %")
    return figure


def index_figure(found: Sequence[Index], measure: str, name: str) -> Figure:
    """Bars of Morris' μ* (with σ as a point) or of Sobol' first and total indices, with 95 % intervals.

    Parameters
    ----------
    found
        What `sacrofem.study.sensitivity.indices` gave.
    measure
        Column that they are of; a change, so that Morris' effects are percentage points.
    name
        What it is called.
    """
    count = len({index.factor for index in found if index.measure == measure and index.index in _LEADING})
    figure = Figure(figsize=(7.2, 0.55 * count + 1.9), layout="constrained")
    ax = figure.subplots()
    draw_indices(ax, found, measure, name)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def draw_indices(ax: Any, found: Sequence[Index], measure: str, name: str) -> None:
    """The bars of `index_figure` in axes of one's own."""
    by = {(index.index, index.factor): index for index in found if index.measure == measure}
    morris = any(kind == "mu_star" for kind, _ in by)
    kinds = {"mu_star": ("mean size of the effect, μ*", _BLUE)} if morris else {
        "S1": ("alone, S1", _ORANGE), "ST": ("with all interactions, ST", _BLUE),
    }  # fmt: skip
    leading = "mu_star" if morris else "ST"
    factors = sorted((f for kind, f in by if kind == leading), key=lambda factor: by[leading, factor].value)
    scale = 100.0 if morris else 1.0
    height = 0.66 / len(kinds)
    for number, (kind, (text, colour)) in enumerate(kinds.items()):
        places = np.arange(len(factors)) + (number - 0.5 * (len(kinds) - 1)) * height
        values = [scale * by[kind, factor].value for factor in factors]
        widths = [scale * (by[kind, factor].half_width or 0.0) for factor in factors]
        ax.barh(places, values, 0.92 * height, xerr=widths, color=colour, label=text, error_kw={"lw": 1, "capsize": 3})
    if morris:
        sigma = [scale * by["sigma", factor].value for factor in factors]
        ax.plot(sigma, range(len(factors)), ls="", marker="D", ms=5.5, color="0.1", mfc="white", label="scatter, σ")
    ax.axvline(0.0, color="0.3", lw=0.8)
    ax.set_yticks(range(len(factors)), [factor_label(factor) for factor in factors])
    unit = "percentage points over the factor's range" if morris else "share of the variance"
    ax.set_xlabel(f"{name}: change by cement\n{unit}")
