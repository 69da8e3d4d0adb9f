"""How solutions and comparisons are drawn, tabulated and written: asked for here, answered by the room of reports.

A result knows no report. What a report can do with one is registered for its type when the package hands out its names.
"""

from __future__ import annotations

from functools import singledispatch
from pathlib import Path
from typing import Any

from sacrofem.errors import EnvironmentFailure


def _nobody(what: str, thing: object) -> EnvironmentFailure:
    return EnvironmentFailure(f"nobody {what} a {type(thing).__name__}: begin with `import sacrofem`")


@singledispatch
def drawn(thing: object, name: str) -> Any:
    """A matplotlib figure of a result."""
    raise _nobody("draws", thing)


@singledispatch
def tabulated(thing: object) -> str:
    """A table of a result as text."""
    raise _nobody("tabulates", thing)


@singledispatch
def written(thing: object, folder: Path, *, overwrite: bool) -> None:
    """Leave the folder of a result."""
    raise _nobody("writes", thing)
