"""The page of a study: what was varied, what came out, and a table to look things up in."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from sacrofem import __version__
from sacrofem.errors import InputError
from sacrofem.report.page import CLAIM, Picture, environment, script
from sacrofem.report.studyfigures import index_figure, map_figure, maps, numeric, response_figure, tornado_figure
from sacrofem.report.table import label
from sacrofem.study.design import Study
from sacrofem.study.sensitivity import KINDS, Index, indices
from sacrofem.study.store import TABLE, Store

PAGE, INDICES = "report.html", "sensitivity.csv"
HEADLINES = ("micromotion_mean_um", "fracture_von_mises_mean_mpa", "stiffness_n_per_mm")
Row = dict[str, Any]


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
            return [{key: _value(text) for key, text in row.items()} for row in csv.DictReader(file)]
    except OSError:
        raise InputError("is no table of a study", file=path, mend="run the study first") from None


def _value(text: str) -> Any:
    if text in ("", "true", "false"):
        return {"": None, "true": True, "false": False}[text]
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return text


def write_study_report(folder: Path, study: Study, measures: Sequence[str] = ()) -> list[str]:
    """Write ``report.html`` (and ``sensitivity.csv`` of a design of sensitivity) into the folder of a study.

    Parameters
    ----------
    folder
        What `study run` wrote.
    study
        Of that folder.
    measures
        Names such as ``micromotion_mean_um``; by default the headlines.

    Returns
    -------
    list of str
        Names of the files.

    Raises
    ------
    InputError
        No table, another study, or a measure that is not in it.
    """
    about = _about(folder, study)
    rows = read_rows(folder)
    chosen = list(measures) or [key for key in HEADLINES if any(row.get(f"{key}_change") is not None for row in rows)]
    for key in chosen:
        if rows and f"{key}_change" not in rows[0]:
            import difflib

            names = [name.removesuffix("_change") for name in rows[0] if name.endswith("_change")]
            close = difflib.get_close_matches(key, names, n=1)
            mend = f"did you mean {close[0]}?" if close else "name a measure of results.csv"
            raise InputError("no such measure", field="--measure", value=key, mend=mend)
    store, written = Store(folder), [PAGE]
    good = [row for row in rows if row["status"] == "done"]
    found: list[Index] = []
    if study.design.kind in KINDS and len(good) == len(study.scenarios):
        found = indices(study, rows, [f"{key}_change" for key in chosen])
        store.publisher.publish(folder / INDICES, _csv(found).encode())
        written.append(INDICES)
    text = _render(study, about, rows, good, chosen, found)
    store.publisher.publish(folder / PAGE, text.encode())
    return written


def _about(folder: Path, study: Study) -> Mapping[str, Any]:
    path = folder / "study.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError("is no study", file=path, mend="name a folder that `sacrofem study run` wrote") from None
    if about.get("digest") != study.digest:
        raise InputError("belongs to another study file", file=path, mend="give the study file that it was run with")
    return dict(about)


def _csv(found: Sequence[Index]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["measure", "factor", "index", "value", "half_width_95"])
    for index in found:
        width = "" if index.half_width is None else repr(index.half_width)
        writer.writerow([index.measure, index.factor, index.index, repr(index.value), width])
    return text.getvalue()


def _picture(figure: Figure, title: str, alt: str) -> Picture:
    import base64

    target = io.BytesIO()
    figure.savefig(target, dpi=120, format="png")
    return Picture(title, alt, base64.b64encode(target.getvalue()).decode("ascii"))


def _pictures(
    study: Study, rows: Sequence[Row], chosen: Sequence[str], found: Sequence[Index], bands: Mapping[str, float]
) -> list[Picture]:
    names = {f"{key}_change": label(key) for key in chosen}
    pictures = []
    for measure, name in names.items():
        if found:
            figure = index_figure(found, measure, name)
            pictures.append(
                _picture(figure, f"What decides: {name}", f"Indices of sensitivity of {name} for each factor.")
            )
        elif study.design.kind == "one-at-a-time":
            effects = _effects(study, rows, measure)
            if effects:
                figure = tornado_figure(effects, name)
                pictures.append(_picture(figure, f"One at a time: {name}", f"Range of the change of {name} by factor."))
    for factor in study.columns:
        if numeric(rows, factor):
            lines = study.design.kind == "grid"
            figure = response_figure(rows, factor, names, bands=bands, lines=lines)
            joined = ", lines join the means of equal values" if lines else ""
            text = f"Change by cement over {factor}: one point a scenario{joined}."
            pictures.append(_picture(figure, f"Over {factor}", text))
    if study.design.kind == "grid":
        for one, other in maps(study.columns, rows):
            for measure, name in list(names.items())[:1]:
                figure = map_figure(rows, one, other, measure, name)
                pictures.append(_picture(figure, f"{one} and {other}", f"Change of {name} over {one} and {other}."))
    return pictures


def _effects(study: Study, rows: Sequence[Row], measure: str) -> dict[str, tuple[float, float]]:
    """Lowest and highest change, per cent, of the scenarios that differ from the first in one factor only."""
    first = rows[0]
    effects = {}
    for factor in study.columns:
        mine = [
            100.0 * float(row[measure])
            for row in rows
            if row.get(measure) is not None and all(row[c] == first[c] for c in study.columns if c != factor)
        ]
        if len(mine) > 1:
            effects[factor] = (min(mine), max(mine))
    return effects


def _bands(study: Study, chosen: Sequence[str]) -> dict[str, float]:
    """Half widths of the shipped mesh band of the default case, where every scenario is solved on its mesh."""
    from sacrofem.mesh.sources import uses_reference
    from sacrofem.study.bands import read_shipped, shipped_convergence

    references = {s.case.mesh.reference for s in study.scenarios if uses_reference(s.case)}
    if references != {"medium"} or not all(uses_reference(s.case) for s in study.scenarios):
        return {}
    stored = read_shipped()
    if stored is None:
        return {}
    estimates = shipped_convergence(stored, study.scenarios[0].case).estimates
    found = {key: (estimates.get(key) or {}).get("change") for key in chosen}
    return {f"{key}_change": estimate.half_width for key, estimate in found.items() if estimate is not None}


def _render(
    study: Study,
    about: Mapping[str, Any],
    rows: Sequence[Row],
    good: Sequence[Row],
    chosen: Sequence[str],
    found: Sequence[Index],
) -> str:
    bands = _bands(study, chosen)
    pictures = _pictures(study, good, chosen, found, bands)
    keys = [
        "scenario",
        *study.columns,
        "status",
        *(f"{key}_{part}" for key in chosen for part in ("before", "after", "change")),
    ]
    columns = [{"label": _heading(key, chosen)} for key in keys]
    failures = [(row["scenario"], row["error"] or row["status"]) for row in rows if row["status"] != "done"]
    contents = [(f"picture-{k}", picture.title) for k, picture in enumerate(pictures, 1)]
    contents += [("indices", "Sensitivity")] if found else []
    contents += [("failures", "Without a result")] if failures else []
    contents += [("table", "Table"), ("provenance", "Versions and files")]
    return (
        environment()
        .get_template("study.html")
        .render(
            name=study.name, version=__version__, claim=CLAIM, script=script, contents=contents,
            sentence=_sentence(study, rows, good, bool(bands)), pictures=pictures, failures=failures,
            index_rows=[vars(index) for index in found], index_note=_INDEX_NOTE.get(study.design.kind, ""),
            columns=columns,
            rows=[[_cell(row, key, number) for key in keys] for number, row in enumerate(rows)],
            provenance=[
                *((f"{name}", version) for name, version in about["versions"].items()),
                ("study hash", about["digest"]),
            ],
        )
    )  # fmt: skip


_INDEX_NOTE = {
    "morris": "Morris: μ* is the mean size of the effect of moving a factor over its whole range, σ its scatter; the "
    "change of a measure is a share of its value before cement.",
    "sobol-indices": "Sobol’: S1 is the share of the variance that a factor explains alone, ST the share that is lost "
    "where it is fixed. Intervals are bootstraps; an index within its interval of 0 says nothing.",
}


def _heading(key: str, chosen: Sequence[str]) -> str:
    for name in chosen:
        for part in ("before", "after", "change"):
            if key == f"{name}_{part}":
                return f"{label(name)}, {part}"
    return key


def _cell(row: Row, key: str, number: int) -> dict[str, Any]:
    value = row.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = f"{100 * value:+.1f} %" if key.endswith("_change") else f"{value:.4g}"
        return {"raw": repr(value), "text": text, "column": key, "row": number}
    return {"raw": None, "text": "–" if value is None else str(value), "column": key, "row": number}


def _sentence(study: Study, rows: Sequence[Row], good: Sequence[Row], banded: bool) -> str:
    factors = ", ".join(study.columns)
    band = (
        "Shaded: the mesh band of the default case."
        if banded
        else "No mesh band was computed for these scenarios: `sacrofem converge` does it for a case."
    )
    return (
        f"{len(rows)} scenarios ({study.design.kind}) over {factors}; {len(good)} solved, "
        f"{len(rows) - len(good)} without a result. {band}"
    )
