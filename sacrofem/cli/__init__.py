"""The command line: thin, and light until a command runs."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence

from cyclopts import CycloptsError

# Importing a module of commands registers them.
from sacrofem.cli import about, compare, deck, importing, model, study, view  # noqa: F401
from sacrofem.cli.app import app
from sacrofem.errors import EnvironmentFailure, InputError, SacrofemError, one_line
from sacrofem.system.signals import INTERRUPTED


def run(command: Callable[[], object]) -> int:
    """Run a command; its exit status, and one line on standard error where it failed."""
    try:
        status = command()
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except SacrofemError as error:
        kind, text, code = "error", one_line(error), error.exit_status
    except CycloptsError as error:
        kind, text, code = "error", f"{one_line(error)} Try `sacrofem --help`.", InputError.exit_status
    except KeyboardInterrupt as error:
        kind, text, code = "interrupted", one_line(error) or "nothing was written", INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter's own flush at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        kind, text, code = (
            "error",
            "out of memory; use a larger --size, or --order 1 for a preview",
            EnvironmentFailure.exit_status,
        )
    except OSError as error:
        kind, text, code = "error", one_line(error), EnvironmentFailure.exit_status
    except Exception as error:
        if os.environ.get("SACROFEM_DEBUG"):
            raise
        text = f"{type(error).__name__}: {one_line(error)}; please report it (SACROFEM_DEBUG=1 shows where)"
        kind, code = "internal error", SacrofemError.exit_status
    print(f"{kind}: {text}", file=sys.stderr)
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``sacrofem``; returns the exit status."""
    tokens = sys.argv[1:] if arguments is None else list(arguments)

    def command() -> object:
        for token in tokens:
            if "\0" in token:
                raise InputError("holds a NUL, which no path and no name may", value=token, mend="leave it out")
        return app(tokens, exit_on_error=False, print_error=False, result_action="return_value")

    with warnings.catch_warnings():
        # A result keeps its warnings itself; standard error stays free for the one line of an error.
        warnings.simplefilter("ignore")
        return run(command)
