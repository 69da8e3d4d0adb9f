"""The command line: thin, and light until a command runs."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress

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
        # Whoever read our output has gone.
        _close_output()
        return 0
    except MemoryError:
        kind, text, code = (
            "error",
            "out of memory; use a larger --size, or --order 1 for a preview",
            EnvironmentFailure.exit_status,
        )
    except OSError as error:
        kind, text, code = "error", one_line(error), EnvironmentFailure.exit_status
        _close_output()
    except Exception as error:
        if os.environ.get("SACROFEM_DEBUG"):
            raise
        text = f"{type(error).__name__}: {one_line(error)}; please report it (SACROFEM_DEBUG=1 shows where)"
        kind, code = "internal error", SacrofemError.exit_status
    with suppress(OSError):
        print(f"{kind}: {text}", file=sys.stderr, flush=True)
    return code


def _close_output() -> None:
    """Send what is still to be said nowhere: the interpreter's own flush at exit must not fail again."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_streams() -> None:
    """Give the process all three standard streams, and output that no character can stop.

    Where one was closed the next file that is opened would take its place, and get what others print.
    """
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(handle)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


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
