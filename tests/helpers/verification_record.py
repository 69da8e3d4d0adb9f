"""Numbers of the verification problems: held to their tolerance, and kept for docs/verification.md.

A test says ``record(quantity=..., computed=..., exact=..., tolerance=..., mesh=...)``; the first line of its module's
docstring names the problem, the rest is its formula and source. ``--verification-json FILE`` writes all of them.
"""

import json
from dataclasses import asdict, dataclass
from inspect import cleandoc
from pathlib import Path
from time import process_time

import numpy as np
import pytest


@dataclass(frozen=True)
class Record:
    """One number; ``error`` is relative unless the test says otherwise, ``size`` is h over a length of the problem."""

    problem: str
    text: str
    test: str
    quantity: str
    mesh: str
    size: float | None
    computed: float | None
    exact: float | None
    error: float
    tolerance: float
    cpu_seconds: float


_RECORDS = pytest.StashKey[list]()


def pytest_addoption(parser):
    parser.addoption("--verification-json", metavar="FILE", help="write the numbers of the verification problems")


def pytest_configure(config):
    config.stash[_RECORDS] = []


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """Take over the numbers of a worker that is done."""
    node.config.stash[_RECORDS] += getattr(node, "workeroutput", {}).get("verification", [])


def pytest_sessionfinish(session):
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["verification"] = [asdict(entry) for entry in config.stash[_RECORDS]]
    elif path := config.getoption("--verification-json"):
        content = [entry if isinstance(entry, dict) else asdict(entry) for entry in config.stash[_RECORDS]]
        Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _relative(computed, exact):
    """Signed for a number; for an array the largest difference over the largest value."""
    if np.ndim(computed) == 0 and np.ndim(exact) == 0:
        return float(computed) / float(exact) - 1.0
    return float(np.abs(np.asarray(computed) - exact).max() / np.abs(exact).max())


def _number(value):
    return None if value is None or np.ndim(value) else float(value)


@pytest.fixture
def record(request):
    """Keep a number for the page, and fail if its error passes the tolerance; returns the error."""
    title, _, formula = cleandoc(request.module.__doc__ or request.module.__name__).partition("\n")
    began = process_time()

    def keep(*, quantity, tolerance, computed=None, exact=None, error=None, mesh="", size=None, problem=None):
        nonlocal began
        value = float(_relative(computed, exact) if error is None else error)
        entry = Record(
            problem=problem or title.rstrip("."),
            text=formula.strip(),
            test=request.node.nodeid,
            quantity=quantity,
            mesh=mesh,
            size=size,
            computed=_number(computed),
            exact=_number(exact),
            error=value,
            tolerance=float(tolerance),
            cpu_seconds=process_time() - began,
        )
        request.config.stash[_RECORDS].append(entry)
        began = process_time()
        assert abs(value) <= tolerance, f"{quantity} ({mesh}): error {value:.3g}, tolerance {tolerance:g}"
        return value

    return keep
