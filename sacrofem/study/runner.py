"""A study run so that it can be left alone: resumed by the same command, spread over processes, nothing done twice."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from sacrofem.case.identity import content_of, digest
from sacrofem.study.design import Scenario, Study
from sacrofem.study.evaluate import CommonZonesGroupSolver, GroupSolver
from sacrofem.study.executors import EXECUTORS, Factory, Task
from sacrofem.study.sensitivity import KINDS
from sacrofem.study.store import MISSING, STUDY, Store
from sacrofem.system.memory import BYTES_PER_UNKNOWN, available_bytes
from sacrofem.system.progress import scenarios
from sacrofem.system.version import VERSION

Executor = Literal["serial", "processes", "dask"]
_PIECE = 32
# Unknowns of a medium mesh: what a worker is taken to need where the mesh is not known before it is made.
_USUAL_UNKNOWNS = 480_000


@dataclass(frozen=True)
class Outcome:
    """What a run left.

    Attributes
    ----------
    total, done, failed : int
        Scenarios of the study, and how many of them are done and failed now.
    solved : int
        How many of them this run has solved.
    """

    total: int
    done: int
    failed: int
    solved: int


def keys_of(study: Study) -> dict[int, str]:
    """Address of each scenario by its number: a hash of version and case, and of its group where zones are common.

    A file of one's own counts by what is in it and not by where it lies: a changed one is solved again, a moved study
    is not.
    """
    found = {}
    hashed: dict[str, str] = {}
    for group in study.groups():
        contents = [content_of(scenario.case, hashed) for scenario in group]
        group_too = {"group": digest(contents)} if study.common_zones else {}
        for scenario, content in zip(group, contents, strict=True):
            found[scenario.number] = digest({"version": VERSION, "case": content, **group_too})
    return found


def run_study(
    study: Study,
    folder: Path,
    *,
    executor: Executor = "processes",
    jobs: int | None = None,
    retry_failed: bool = False,
    scheduler: str | None = None,
    store: Store | None = None,
    factory: Factory | None = None,
) -> Outcome:
    """Solve what is not solved yet, and write the table; `sacrofem.system.progress.scenarios` says how far it is.

    Parameters
    ----------
    study
    folder
        Of the results; the same one resumes.
    executor
        ``serial``, ``processes`` (spawned, one thread each) or ``dask`` (a local cluster, or that of ``scheduler``).
    jobs
        Workers; None: the cores available, as far as memory goes.
    retry_failed
        Solve scenarios again that failed.
    scheduler
        Address of a Dask scheduler.
    store, factory
        For tests: how files are put in place, and what solves.

    Raises
    ------
    EnvironmentFailure
        Another runner is at work in the folder, or it cannot be written.
    """
    store = store or Store(folder)
    store.prepare()
    keys = keys_of(study)
    with store.locked():
        store.put(folder / STUDY, _about(study, keys))
        records = {number: store.read(key) for number, key in keys.items()}
        failed = {n for n, record in records.items() if record and record["status"] != "done"}
        if retry_failed:
            for number in failed:
                store.discard(keys[number])
                records[number] = None
            failed = set()
        finished = {n for n, record in records.items() if record} - failed
        scenarios(len(keys), len(finished), len(failed))
        tasks = list(_tasks(study, keys, {n for n, record in records.items() if record is None}))
        numbers: dict[str, set[int]] = {}
        for number, key in keys.items():
            numbers.setdefault(key, set()).add(number)
        solved = 0
        for key in EXECUTORS[executor](tasks, store, jobs or _workers(study), scheduler, factory or _factory(study)):
            solved += 1
            record = store.read(key)
            (finished if record and record["status"] == "done" else failed).update(numbers[key])
            scenarios(len(keys), len(finished), len(failed))
        write_table(study, store)
    return Outcome(len(keys), len(finished), len(failed), solved)


def _factory(study: Study) -> Factory:
    return CommonZonesGroupSolver if study.common_zones else GroupSolver


def write_table(study: Study, store: Store, keys: Mapping[int, str] | None = None) -> None:
    """Write ``results.csv`` (and Parquet, where pyarrow is installed) from the scenario files.

    Parameters
    ----------
    study
    store
    keys
        Address of each scenario by its number; by default those of the files of one's own as they are now.
    """
    keys = keys or keys_of(study)
    rows, measured = [], dict[str, None]()
    for scenario in study.scenarios:
        record = store.read(keys[scenario.number]) or {"status": MISSING, "error": "", "values": {}}
        measured |= dict.fromkeys(record["values"])
        rows.append(
            {
                "scenario": scenario.number, **scenario.factors, "status": record["status"], "error": record["error"],
                **record["values"],
            }
        )  # fmt: skip
    columns = ["scenario", *study.columns, "status", "error", *measured]
    store.table(rows, columns)
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return
    table = pyarrow.table({name: [_plain(row.get(name)) for row in rows] for name in columns})
    store.put(store.folder / "results.parquet", lambda temporary: pyarrow.parquet.write_table(table, temporary))


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | tuple | dict) else value


def _about(study: Study, keys: Mapping[int, str]) -> str:
    versions = {"sacrofem": VERSION, "python": platform.python_version()}
    sensitivity = ("SALib",) if study.design.kind in KINDS else ()
    for name in ("numpy", "scipy", "numba", "scikit-fem", *sensitivity):
        versions[name] = metadata.version(name)
    content = {
        "schema": 1,
        "name": study.name,
        "digest": study.digest,
        "columns": list(study.columns),
        "versions": versions,
        "study": study.to_json(),
        "scenarios": [
            {"scenario": scenario.number, "key": keys[scenario.number], "factors": dict(scenario.factors)}
            for scenario in study.scenarios
        ],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, default=list) + "\n"


def _tasks(study: Study, keys: Mapping[int, str], missing: set[int]) -> Iterator[Task]:
    for group in study.groups():
        cases = tuple(scenario.case for scenario in group)
        # The same inputs twice, as trajectories of Morris have them, are one scenario to solve.
        first_of = {keys[scenario.number]: place for place, scenario in reversed(list(enumerate(group)))}
        open_ = sorted(place for place in first_of.values() if group[place].number in missing)
        for first in range(0, len(open_), _PIECE):
            places = tuple(open_[first : first + _PIECE])
            yield Task(cases, places, tuple(keys[_number(group, place)] for place in places))


def _number(group: Sequence[Scenario], place: int) -> int:
    return group[place].number


def _workers(study: Study) -> int:
    from sacrofem.system.threads import available_cores

    cores, available = available_cores(), available_bytes()
    if available is None:
        return cores
    return max(1, min(cores, available // (BYTES_PER_UNKNOWN * _USUAL_UNKNOWNS)))
