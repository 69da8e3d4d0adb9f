"""The page of a study: what was varied, what came out, and a table to look things up in."""

from __future__ import annotations

import base64
import csv
import difflib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from sacrofem.errors import InputError
from sacrofem.report.figures import studyfigures as figures
from sacrofem.report.page.page import CLAIM, Picture, environment, script
from sacrofem.report.text import studywords as words
from sacrofem.report.text.table import label, number, unit
from sacrofem.study.bands import read_shipped, shipped_halves
from sacrofem.study.design import REPLICATE, Study, study_of
from sacrofem.study.replicates import Scatter, scatter
from sacrofem.study.runner import write_table
from sacrofem.study.sensitivity import INDICES, KINDS, Index, indices, write_indices
from sacrofem.study.store import MISSING, SCENARIOS, STUDY, TABLE, Store, value_of
from sacrofem.system.files import sha256
from sacrofem.system.version import VERSION

PAGE = "report.html"
HEADLINES = ("micromotion_mean_um", "fracture_von_mises_mean_mpa", "stiffness_n_per_mm")
MOST_ROWS = 4000
"""Of the table on the page, so that it stays below 15 MB; all rows are in results.csv."""
Row = dict[str, Any]


@dataclass(frozen=True)
class _Content:
    """What the page is made of: the study, all rows, those with a result, chosen measures, indices and bands."""

    study: Study
    rows: Sequence[Row]
    good: Sequence[Row]
    chosen: Sequence[str]
    found: Sequence[Index] = ()
    without: Sequence[str] = ()
    bands: figures.Bands = field(default_factory=dict)

    @property
    def scatter(self) -> list[Scatter]:
        """Of the changes over meshes of the same size."""
        return scatter(self.study, self.good, list(self.names))

    @property
    def varied(self) -> list[str]:
        """Factors that a curve or a map is drawn over: the number of a mesh is no scale."""
        return [column for column in self.study.columns if column != REPLICATE]

    @property
    def names(self) -> dict[str, str]:
        """Columns of changes, and what they are called."""
        return {f"{key}_change": label(key) for key in self.chosen}


def read_rows(folder: Path) -> list[Row]:
    """Rows of the table of a study, numbers as numbers and empty cells as None.

    Raises
    ------
    InputError
        There is none.
    """
    path = folder / TABLE
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [{key: value_of(text) for key, text in row.items()} for row in csv.DictReader(file)]
    except OSError:
        raise InputError("is no table of a study", file=path, mend="run the study first") from None


def write_study_report(folder: Path, measures: Sequence[str] = ()) -> list[str]:
    """Write ``report.html`` (and ``sensitivity.csv`` of a design of sensitivity) into the folder of a study.

    Parameters
    ----------
    folder
        What `study run` wrote; nothing else is read.
    measures
        Names such as ``micromotion_mean_um``; by default the headlines.

    Returns
    -------
    list of str
        Names of the files.

    Raises
    ------
    InputError
        The folder is of no study, or a measure is not in its table.
    EnvironmentFailure
        The page cannot be written, or SALib is needed and not installed.
    """
    study, about = read_folder(folder)
    rows = _rows(folder, study)
    good = [row for row in rows if row["status"] == "done"]
    content = _Content(study, rows, good, _chosen(rows, measures))
    store, written = Store(folder), [PAGE]
    found, without = _indices(content)
    if found:
        write_indices(store, found)
        written.append(INDICES)
    content = _Content(study, rows, good, content.chosen, found, without, _bands(content))
    hashes = {name: sha256(folder / name) for name in (TABLE, INDICES) if name == TABLE or found}
    store.put(folder / PAGE, _render(content, about, hashes))
    return written


def _rows(folder: Path, study: Study) -> list[Row]:
    """Rows of the table, which is written anew while the study is unfinished: a row for every scenario."""
    store = Store(folder)
    rows = read_rows(folder) if (folder / TABLE).exists() else []
    if len(rows) != len(study.scenarios) or any(row.get("status") == MISSING for row in rows):
        if (folder / SCENARIOS).is_dir():
            write_table(study, store, store.scenarios()[1])
        rows = read_rows(folder)
    if len(rows) != len(study.scenarios):
        problem = f"has {len(rows)} rows for {len(study.scenarios)} scenarios"
        raise InputError(problem, file=folder / TABLE, mend="run the study to its end, the same command resumes it")
    return rows


def read_folder(folder: Path) -> tuple[Study, Mapping[str, Any]]:
    """The study of a folder, made anew from its study.json, and what else stands there.

    Raises
    ------
    InputError
        There is no study, or it was made by another version.
    """
    path = folder / STUDY
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        digest, _ = about["digest"], about["versions"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise InputError("is no study", file=path, mend="name a folder that `sacrofem study run` wrote") from None
    study = study_of(about.get("study", {}), file=path)
    if study.digest != digest:
        mend = "run the study again with `sacrofem study run`: what is solved by this version is kept"
        raise InputError("describes other cases than were run", file=path, mend=mend)
    return study, about


def _chosen(rows: Sequence[Row], measures: Sequence[str]) -> list[str]:
    known = [name.removesuffix("_change") for name in rows[0] if name.endswith("_change")]
    for key in measures:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            mend = f"did you mean {close[0]}?" if close else "name a measure of results.csv"
            raise InputError("no such measure", field="--measure", value=key, mend=mend)
    if measures:
        return list(dict.fromkeys(measures))
    return [key for key in HEADLINES if any(row.get(f"{key}_change") is not None for row in rows)]


def _indices(content: _Content) -> tuple[list[Index], list[str]]:
    """Indices of the chosen measures, and why there are none of some."""
    found: list[Index] = []
    without: list[str] = []
    if content.study.design.kind in KINDS:
        for column in content.names:
            try:
                found += indices(content.study, content.rows, [column])
            except InputError as error:
                without.append(str(error))
    return found, without


def _bands(content: _Content) -> dict[tuple[int, str], float]:
    found: dict[tuple[int, str], float] = {}
    data = read_shipped()
    for scenario, row in zip(content.study.scenarios, content.rows, strict=True):
        if data is not None and row["status"] == "done":
            halves = shipped_halves(data, scenario.case, row, content.chosen)
            found |= {(scenario.number, f"{key}_change"): half for key, half in halves.items()}
    return found


# ---------------------------------------------------------------------- pictures
def _picture(figure: Figure, title: str, alt: str) -> Picture:
    target = io.BytesIO()
    figure.savefig(target, dpi=130, format="png")
    return Picture(title, alt, base64.b64encode(target.getvalue()).decode("ascii"))


def _deciding(content: _Content) -> list[Picture]:
    """Bars of what decides: indices, or the range of every factor alone."""
    pictures = []
    for column, name in content.names.items():
        mine = [index for index in content.found if index.measure == column]
        if mine:
            leading = "mu_star" if content.study.design.kind == "morris" else "ST"
            order = sorted((i for i in mine if i.index == leading), key=lambda i: -i.value)
            text = ", ".join(f"{words.factor_name(index.factor)} {_index_text(index)}" for index in order)
            sign = "μ*" if leading == "mu_star" else "ST"
            alt = f"What decides the change of {name}: bars with 95 % intervals. {sign}, largest first: {text}."
            pictures.append(_picture(figures.index_figure(mine, column, name), name, alt))
        elif content.study.design.kind == "one-at-a-time" and (effects := _effects(content, column)):
            text = ", ".join(
                f"{words.factor_name(key)} {effect.low:+.0f} to {effect.high:+.0f} %" for key, effect in effects.items()
            )
            alt = f"Change of {name} as each factor alone goes through its values: {text}."
            pictures.append(_picture(figures.tornado_figure(effects, name), name, alt))
    return pictures


def _index_text(index: Index) -> str:
    half = index.half_width or 0.0
    if index.index == "mu_star":
        return f"{100 * index.value:.1f} ± {100 * half:.1f} points"
    return f"{index.value:.2f} ± {half:.2f}"


def _effects(content: _Content, column: str) -> dict[str, figures.Effect]:
    """Of every factor alone, from the scenarios that differ from the first in it only."""
    first = content.rows[0]
    effects = {}
    for factor in content.study.columns:
        mine = [row for row in _alone(content, factor) if words.is_number(row.get(column))]
        if len(mine) > 1 and words.is_number(first.get(column)):
            low, high = (pick(mine, key=lambda row: row[column]) for pick in (min, max))
            effects[factor] = figures.Effect(
                100 * first[column], 100 * low[column], 100 * high[column],
                words.shown(low[factor]), words.shown(high[factor]),
            )  # fmt: skip
    return effects


def _alone(content: _Content, factor: str) -> list[Row]:
    first = content.rows[0]
    return [row for row in content.good if all(row[c] == first[c] for c in content.study.columns if c != factor)]


def _curves(content: _Content) -> list[Picture]:
    """Measures over every factor that is a number."""
    study, names = content.study, content.names
    logs = {factor.column for factor in study.factors if factor.log}
    lines = study.design.kind in ("grid", "one-at-a-time", "list")
    pictures = []
    for factor in content.varied if names else ():
        rows = _alone(content, factor) if study.design.kind == "one-at-a-time" else content.good
        if not figures.numeric(rows, factor):
            continue
        others = [name for name in study.columns if name != factor]
        figure = figures.response_figure(
            rows, factor, names, others=others, bands=content.bands, lines=lines, log=factor in logs,
            colour=None if lines else _strongest(content, others),
        )  # fmt: skip
        title = words.factor_name(factor)
        ranges = "; ".join(f"{name} {words.span(rows, column)}" for column, name in names.items())
        joined = "lines join scenarios that share all other factors" if lines else "one point a scenario"
        pictures.append(_picture(figure, title, f"Change by cement over {title}, {joined}: {ranges}."))
    return pictures


def _strongest(content: _Content, factors: Sequence[str]) -> str | None:
    """The factor that decides most of the first measure, to colour points by."""
    column = next(iter(content.names))
    mine = [
        index for index in content.found
        if index.measure == column and index.index in ("mu_star", "ST") and index.factor in factors
        and figures.numeric(content.good, index.factor)
    ]  # fmt: skip
    return max(mine, key=lambda index: index.value).factor if mine else None


def _maps(content: _Content) -> list[Picture]:
    """Heat maps of pairs of a grid."""
    if content.study.design.kind != "grid" or not content.names:
        return []
    pictures = []
    for one, other in figures.maps(content.varied, content.good):
        figure = figures.map_figure(content.good, one, other, content.names)
        pair = f"{words.factor_name(one)} and {words.factor_name(other)}"
        rest = " A cell is the mean over all other factors." if len(content.study.columns) > 2 else ""
        ranges = "; ".join(f"{name} {words.span(content.good, column)}" for column, name in content.names.items())
        pictures.append(_picture(figure, pair, f"Change by cement over {pair}: {ranges}.{rest}"))
    return pictures


# ---------------------------------------------------------------------- page
def _render(content: _Content, about: Mapping[str, Any], hashes: Mapping[str, str]) -> str:
    study, rows = content.study, content.rows
    measured = [f"{key}_{part}" for key in content.chosen for part in words.PARTS]
    columns = ["scenario", *study.columns, "status", *measured]
    failures = [(row["scenario"], row["error"] or row["status"]) for row in rows if row["status"] != "done"]
    sections = [
        ("decides", "What decides", _deciding(content)),
        ("curves", "Curves", _curves(content)),
        ("maps", "Maps", _maps(content)),
    ]
    contents = [(name, title) for name, title, pictures in sections if pictures]
    meshes = content.scatter
    contents += [("meshes", "Scatter of meshes")] if meshes else []
    contents += [("indices", "Indices")] if content.found or content.without else []
    contents += [("failures", "Without a result")] if failures else []
    contents += [("table", "Table"), ("provenance", "Versions and files")]
    assert study.base is not None
    return (
        environment()
        .get_template("study.html")
        .render(
            name=study.name, version=VERSION, claim=CLAIM, script=script, contents=contents,
            sentence=words.sentence(study, rows, len(content.good)),
            band=words.BANDED if content.bands else words.NOT_BANDED,
            sections=[section for section in sections if section[2]],
            meshes=[asdict(one) | {"name": content.names[one.measure]} for one in meshes],
            index_rows=[asdict(index) | {"of": _index_name(index, content)} for index in content.found],
            index_note=words.INDEX_NOTE.get(study.design.kind, ""), without=content.without,
            failures=failures[:MOST_ROWS], total=len(rows),
            columns=[words.heading(column, content.chosen) for column in columns],
            rows=[[_cell(row, column, k) for column in columns] for k, row in enumerate(rows[:MOST_ROWS])],
            provenance=[*about["versions"].items()],
            hashes=[("study", about["digest"]), *hashes.items()],
            case=study.base.to_toml(),
        )
    )  # fmt: skip


def _index_name(index: Index, content: _Content) -> tuple[str, str]:
    of = " × ".join(words.factor_name(name) for name in index.factor.split(" × "))
    return content.names[index.measure], of


def _cell(row: Row, column: str, place: int) -> dict[str, Any]:
    value = row.get(column)
    if not words.is_number(value):
        return {"raw": None, "text": words.shown(value), "column": column, "row": place}
    key, _, part = column.rpartition("_")
    if part == "change":
        text = f"{100 * value:+.1f} %"
    else:
        text = number(value, unit(key)[1]) if part in words.PARTS else words.shown(value)
    return {"raw": repr(value), "text": text, "column": column, "row": place}
