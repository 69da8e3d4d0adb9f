"""Every number of the cross-checks is held to its tolerance and shown in one table at the end of the run."""

from dataclasses import dataclass

import numpy as np
import pytest


@dataclass(frozen=True)
class Row:
    case: str
    quantity: str
    ours: float
    other: float
    difference: float
    tolerance: float


_ROWS = pytest.StashKey[list]()


def pytest_configure(config):
    config.stash[_ROWS] = []


@pytest.fixture
def agree(request):
    """``agree(case, quantity, ours, other, tolerance)``: the largest difference over the field's largest value.

    ``scale`` replaces that largest value.
    """

    def compare(case, quantity, ours, other, tolerance, scale=None):
        ours, other = np.asarray(ours, dtype=float), np.asarray(other, dtype=float)
        assert ours.shape == other.shape
        scale = np.abs(ours).max() if scale is None else scale
        difference = float(np.abs(other - ours).max() / scale)
        # Of a field the table shows the entry that is largest in ours.
        largest = np.unravel_index(np.abs(ours).argmax(), ours.shape)
        row = Row(case, quantity, float(ours[largest]), float(other[largest]), difference, tolerance)
        request.config.stash.setdefault(_ROWS, []).append(row)
        assert difference <= tolerance, row

    return compare


def pytest_terminal_summary(terminalreporter, config):
    rows = config.stash.get(_ROWS, [])
    if not rows:
        return
    terminalreporter.section("cross-checks")
    terminalreporter.line(
        f"{'case':34} {'quantity (largest value)':40} {'ours':>14} {'other':>14} {'difference':>10} {'limit':>7}"
    )
    for row in rows:
        terminalreporter.line(
            f"{row.case:34} {row.quantity:40} {row.ours:14.7g} {row.other:14.7g} {row.difference:10.1e} "
            f"{row.tolerance:7.2g}"
        )
