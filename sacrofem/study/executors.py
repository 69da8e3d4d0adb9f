"""Where the scenarios of a study are solved: here, in spawned processes, or on a Dask cluster."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from sacrofem.case.case import Case
from sacrofem.errors import EnvironmentFailure
from sacrofem.study.evaluate import Evaluate, failure
from sacrofem.study.lifeline import end_with_parent
from sacrofem.study.store import Store
from sacrofem.system.signals import unheard_by_children

# A worker that dies so often with one and the same task, and no other beside it, is not to blame.
_MOST_DEATHS = 3


#: Makes the function that solves; a name that can be imported, for it goes to other processes.
Factory = Callable[[], Evaluate]


@dataclass(frozen=True)
class Task:
    """Some scenarios of one group: all its cases, and places and keys of those to be solved."""

    cases: tuple[Case, ...]
    places: tuple[int, ...]
    keys: tuple[str, ...]


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
                    with unheard_by_children():
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
                with unheard_by_children():
                    solving = pool.submit(call, task)
                yield from solving.result()
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


EXECUTORS: Mapping[str, Callable[..., Iterator[str]]] = {"serial": _serial, "processes": _processes, "dask": _dask}
