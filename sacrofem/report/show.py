"""What reports do with results: registered for the calls of `sacrofem.specimen.show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sacrofem.specimen.comparison import Comparison
from sacrofem.specimen.show import drawn, tabulated, written
from sacrofem.specimen.solution import Solution

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@drawn.register(Comparison)
def _(thing: Comparison, name: str) -> Figure:
    from sacrofem.report.figures.comparison import FIGURES, figure_of
    from sacrofem.report.figures.solution import compared_figure, drawable

    if name in FIGURES or name not in drawable(thing.solutions["after"]):
        return figure_of(thing, name)
    return compared_figure(thing, name)


@drawn.register(Solution)
def _(thing: Solution, name: str) -> Figure:
    from sacrofem.report.figures.solution import solution_figure

    return solution_figure(thing, name)


@tabulated.register(Comparison)
def _(thing: Comparison) -> str:
    from io import StringIO

    from rich.console import Console

    from sacrofem.report.text.table import rows, terminal_table

    lines = rows(
        thing.before, thing.after, thing.change, thing.intact, mesh_band=thing.mesh_band, input_range=thing.input_range
    )
    console = Console(file=StringIO(), width=120, force_terminal=False)
    with console.capture() as captured:
        console.print(terminal_table(lines, intact=thing.intact is not None))
    return captured.get().rstrip("\n")


@written.register(Comparison)
def _(thing: Comparison, folder: Path, *, overwrite: bool) -> None:
    from sacrofem.case.identity import identity
    from sacrofem.report.results import write_comparison
    from sacrofem.system.folders import check_folder

    check_folder(folder, overwrite=overwrite, of=identity("compare", thing.case))
    write_comparison(folder, thing, seconds=thing.seconds, inputs={})
