"""Named errors: one sentence each, with the place, the value found and the mend.

The exit status of the command line is a property of the error (README, "Exit status").
"""

from __future__ import annotations


def one_line(text: object) -> str:
    """Text on one line, in which names from files cannot steer a terminal."""
    words = " ".join(str(text).split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)


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
        Where it was found: a file name, a dotted case field and the offending value.
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
            place.append(f"{field} = {value!r}" if value is not None else field)
        elif value is not None:
            place.append(repr(value))
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
