"""A study run so that it can be left alone: resumed by the same command, spread over processes, nothing done twice."""

from __future__ import annotations

import concurrent.futures
import json
import multiprocessing
import os
import platform
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import sacrofem
from sacrofem.case import OWN_FILES, Case
from sacrofem.errors import EnvironmentFailure
from sacrofem.hashing import sha256
from sacrofem.memory import BYTES_PER_UNKNOWN, available_bytes
from sacrofem.study.design import Scenario, Study, digest
from sacrofem.study.evaluate import Evaluate, GroupSolver, failure
from sacrofem.study.lifeline import end_with_parent
from sacrofem.study.sensitivity import KINDS
from sacrofem.study.store import Store

Executor = Literal["serial", "processes", "dask"]
# A worker that dies so often with one and the same task, and no other beside it, is not to blame.
_MOST_DEATHS = 3
_PIECE = 32
# Unknowns of a medium mesh: what a worker is taken to need where the mesh is not known before it is made.
_USUAL_UNKNOWNS = 480_000

Progress = Callable[[int, int, int], None]
#: Makes the function that solves; a name that can be imported, for it goes to other processes.
Factory = Callable[[], Evaluate]


@dataclass(frozen=True)
class Task:
    """Some scenarios of one group: all its cases, and places and keys of those to be solved."""

    cases: tuple[Case, ...]
    places: tuple[int, ...]
    keys: tuple[str, ...]


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
    """Address of each scenario by its number: a hash of version, group and case.

    The group belongs to it because its plans fix the measuring zones together. A file of one's own counts by what
    is in it and not by where it lies: a changed one is solved again, a moved study is not.
    """
    found = {}
    hashed: dict[str, str] = {}
    for group in study.groups():
        contents = [_content(scenario.case, hashed) for scenario in group]
        whole = digest(contents)
        for scenario, content in zip(group, contents, strict=True):
            found[scenario.number] = digest({"version": sacrofem.__version__, "group": whole, "case": content})
    return found


def _content(case: Case, hashed: dict[str, str]) -> dict[str, Any]:
    content = case.to_dict()
    content.pop("name")
    for section, key in OWN_FILES:
        name = getattr(getattr(case, section), key)
        if name is not None and Path(name).exists():
            if name not in hashed:
                hashed[name] = _whole(Path(name))
            content[section][key] = hashed[name]
    content["solver"] = {k: v for k, v in content["solver"].items() if k not in ("threads", "memory_gib")}
    return content


def _whole(path: Path) -> str:
    """Hash of a file, or of all files of a folder."""
    if path.is_dir():
        return digest({str(file.relative_to(path)): sha256(file) for file in path.rglob("*") if file.is_file()})
    return sha256(path)


def run_study(
    study: Study,
    folder: Path,
    *,
    executor: Executor = "processes",
    jobs: int | None = None,
    retry_failed: bool = False,
    scheduler: str | None = None,
    progress: Progress | None = None,
    store: Store | None = None,
    factory: Factory = GroupSolver,
) -> Outcome:
    """Solve what is not solved yet, and write the table.

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
    progress
        Called with total, done and failed scenarios.
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
    say = progress or (lambda total, done, failed: None)
    with store.locked():
        store.publisher.publish(folder / "study.json", _about(study, keys))
        records = {number: store.read(key) for number, key in keys.items()}
        failed = {n for n, record in records.items() if record and record["status"] != "done"}
        if retry_failed:
            for number in failed:
                store.discard(keys[number])
                records[number] = None
            failed = set()
        finished = {n for n, record in records.items() if record} - failed
        say(len(keys), len(finished), len(failed))
        tasks = list(_tasks(study, keys, {n for n, record in records.items() if record is None}))
        numbers: dict[str, set[int]] = {}
        for number, key in keys.items():
            numbers.setdefault(key, set()).add(number)
        solved = 0
        for key in _EXECUTORS[executor](tasks, store, jobs or _workers(study), scheduler, factory):
            solved += 1
            record = store.read(key)
            (finished if record and record["status"] == "done" else failed).update(numbers[key])
            say(len(keys), len(finished), len(failed))
        write_table(study, store)
    return Outcome(len(keys), len(finished), len(failed), solved)


def write_table(study: Study, store: Store) -> None:
    """Write ``results.csv`` (and Parquet, where pyarrow is installed) from the scenario files."""
    keys = keys_of(study)
    rows, measured = [], dict[str, None]()
    for scenario in study.scenarios:
        record = store.read(keys[scenario.number]) or {"status": "missing", "error": "", "values": {}}
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
    partial_path = store.folder / ".results.parquet.partial"
    pyarrow.parquet.write_table(table, partial_path)
    os.replace(partial_path, store.folder / "results.parquet")


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | tuple | dict) else value


def _about(study: Study, keys: Mapping[int, str]) -> bytes:
    versions = {"sacrofem": sacrofem.__version__, "python": platform.python_version()}
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
    return (json.dumps(content, indent=1, ensure_ascii=False, default=list) + "\n").encode()


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
    from sacrofem.threads import available_cores

    cores, available = available_cores(), available_bytes()
    if available is None:
        return cores
    return max(1, min(cores, available // (BYTES_PER_UNKNOWN * _USUAL_UNKNOWNS)))


def _work(task: Task, evaluate: Evaluate, store: Store) -> Iterator[str]:
    """Solve and publish the scenarios of a task; the key of each as it is published."""
    left = dict(zip(task.places, task.keys, strict=True))
    try:
        for place, record in evaluate(task.cases, task.places):
            store.publish(left[place], record)
            yield left.pop(place)
    except EnvironmentFailure:
        raise
    except Exception as error:
        # A fault of ours in one scenario must not end the study either.
        for key in left.values():
            store.publish(key, failure(error))
            yield key


# ------------------------------------------------------------------ executors
def _serial(tasks: Sequence[Task], store: Store, jobs: int, scheduler: str | None, factory: Factory) -> Iterator[str]:
    evaluate = factory()
    for task in tasks:
        yield from _work(task, evaluate, store)


@dataclass
class _Worker:
    """What a worker process keeps between tasks."""

    evaluate: Evaluate | None = None
    made_by: Factory | None = field(default=None)


_HERE = threading.local()


def _in_worker(task: Task, store: Store, factory: Factory) -> list[str]:
    """A whole task in another process; the set-up of its group stays there for the next one."""
    worker = getattr(_HERE, "worker", None)
    if worker is None or worker.made_by is not factory:
        worker = _HERE.worker = _Worker(factory(), factory)
    assert worker.evaluate is not None
    return list(_work(task, worker.evaluate, store))


def _processes(
    tasks: Sequence[Task], store: Store, jobs: int, scheduler: str | None, factory: Factory
) -> Iterator[str]:
    waiting = list(reversed(tasks))
    call = partial(_in_worker, store=store, factory=factory)
    while waiting:
        for task in (yield from _until_a_death(waiting, call, store, jobs)):
            yield from _by_itself(task, call, store)


def _until_a_death(
    waiting: list[Task], call: Callable[[Task], list[str]], store: Store, jobs: int
) -> Generator[str, None, list[Task]]:
    """Work the list off, from its end; if a worker dies, what is left of the tasks that were out.

    No more than ``jobs`` are out at a time: a pool whose worker dies names all it holds, and one of those is to blame.
    """
    with _pool(min(jobs, len(waiting))) as pool:
        out: dict[concurrent.futures.Future[list[str]], Task] = {}
        suspects: list[Task] = []
        broken = False
        while out or (waiting and not broken):
            while waiting and not broken and len(out) < jobs:
                try:
                    out[pool.submit(call, waiting[-1])] = waiting[-1]
                    waiting.pop()
                except BrokenProcessPool:
                    broken = True
            for future in concurrent.futures.wait(out, return_when=concurrent.futures.FIRST_COMPLETED).done:
                task = out.pop(future)
                try:
                    yield from future.result()
                except BrokenProcessPool:
                    broken = True
                    left = _left(task, store)
                    yield from (key for key in task.keys if key not in left.keys)
                    if left.keys:
                        suspects.append(left)
        return suspects


def _by_itself(task: Task, call: Callable[[Task], list[str]], store: Store) -> Iterator[str]:
    """Solve a task with no other beside it, so that a death is its own; in the end scenario by scenario."""
    for _ in range(_MOST_DEATHS):
        with _pool(1) as pool:
            try:
                yield from pool.submit(call, task).result()
                return
            except BrokenProcessPool:
                left = _left(task, store)
                yield from (key for key in task.keys if key not in left.keys)
                task = left
        if not task.keys:
            return
    if len(task.keys) == 1:
        store.publish(task.keys[0], failure(EnvironmentFailure("its worker died every time")))
        yield task.keys[0]
        return
    for place, key in zip(task.places, task.keys, strict=True):
        yield from _by_itself(Task(task.cases, (place,), (key,)), call, store)


@contextmanager
def _pool(workers: int) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """Spawned workers that end with the run, at once if it is given up."""
    pool = concurrent.futures.ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=end_with_parent
    )
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        _stop(pool)
        raise


def _stop(pool: concurrent.futures.ProcessPoolExecutor) -> None:
    for process in list((pool._processes or {}).values()):
        process.kill()


def _left(task: Task, store: Store) -> Task:
    """What a worker that died has not published of its task."""
    pairs = [(p, k) for p, k in zip(task.places, task.keys, strict=True) if store.read(k) is None]
    return Task(task.cases, tuple(p for p, _ in pairs), tuple(k for _, k in pairs))


def _dask(tasks: Sequence[Task], store: Store, jobs: int, scheduler: str | None, factory: Factory) -> Iterator[str]:
    try:
        from dask.distributed import Client, LocalCluster, as_completed
    except ImportError:
        raise EnvironmentFailure("dask.distributed is not installed; pip install 'sacrofem[cluster]'") from None
    cluster = None
    if scheduler is None:
        cluster = LocalCluster(n_workers=jobs, threads_per_worker=1, processes=True, dashboard_address=None)
    client = Client(scheduler or cluster)
    absolute = Store(store.folder.absolute(), store.publisher)
    try:
        call = partial(_in_worker, store=absolute, factory=factory)
        futures = {client.submit(call, task, pure=False, retries=_MOST_DEATHS): task for task in tasks}
        for future in as_completed(futures):
            task = futures[future]
            try:
                future.result()
            except Exception as error:
                for key in _left(task, store).keys:
                    store.publish(key, failure(error))
            yield from task.keys
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


_EXECUTORS: Mapping[str, Callable[..., Iterator[str]]] = {"serial": _serial, "processes": _processes, "dask": _dask}
