"""Named errors: one sentence each, with the place, the value found and the mend.

The exit status of the command line is a property of the error (README, "Exit status").
"""

from __future__ import annotations

from collections.abc import Iterable


def one_line(text: object) -> str:
    """Text on one line, in which names from files cannot steer a terminal."""
    return printable(" ".join(str(text).split()))


def printable(text: object) -> str:
    """Text in which what cannot be printed is written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def cut(text: object, most: int = 100) -> str:
    """Text on one line, at most so long."""
    # What is cut away need not be made fit to print first.
    line = one_line(str(text)[: 4 * most])
    return line if len(line) <= most else line[: most - 3] + "..."


def shown(value: object, most: int = 100) -> str:
    """A value as Python writes it, in one line and at most so long."""
    try:
        return cut(repr(value), most)
    except (ValueError, RecursionError):
        # A whole number of thousands of digits is not written, nor is a list that holds itself to no end.
        return f"<{type(value).__name__} too large to be shown>"


def listed(names: Iterable[object], most: int = 120) -> str:
    """Names after one another, as many as fit into ``most`` characters, and how many more there are."""
    every = [str(name) for name in names]
    kept: list[str] = []
    for name in every:
        if kept and sum(map(len, kept)) + 2 * len(kept) + len(name) > most:
            break
        kept.append(name)
    rest = len(every) - len(kept)
    return ", ".join(kept) + (f" and {rest} more" if rest else "")


class SacrofemError(Exception):
    """Base of every error that the package raises on purpose: the numerics failed."""

    exit_status = 1


class InputError(SacrofemError):
    """Input that is refused before anything is solved or written.

    Parameters
    ----------
    problem
        What is wrong, without a full stop.
    file, field, value
        Where it was found: a file name, a dotted case field and the offending value, of which about a hundred
        characters are shown.
    mend
        What the user can do about it.
    """

    exit_status = 2

    def __init__(
        self,
        problem: str,
        *,
        file: object = None,
        field: str | None = None,
        value: object = None,
        mend: str | None = None,
    ) -> None:
        self.problem, self.file, self.field, self.value, self.mend = problem, file, field, value, mend
        place = [str(file)] if file is not None else []
        if field is not None:
            place.append(f"{cut(field)} = {shown(value)}" if value is not None else cut(field))
        elif value is not None:
            place.append(shown(value))
        text = ": ".join([*place, problem])
        super().__init__(one_line(text + (f"; {mend}" if mend else "")))


class SolverError(SacrofemError):
    """The linear solve stagnated, lost definiteness or left too large a residual."""


class SafetyError(SacrofemError):
    """Cement or needle violates a safety limit; the results are complete."""

    exit_status = 3


class BaselineError(SacrofemError):
    """A measure differs from its stored baseline by more than its tolerance."""

    exit_status = 4


class EnvironmentFailure(SacrofemError):
    """Disk, memory, permission or lock: nothing to do with the input."""

    exit_status = 5


class SacrofemWarning(UserWarning):
    """Something a careful reader of the result must know; also kept in ``warnings``."""
