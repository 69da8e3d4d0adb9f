"""The folder of a study: one file a scenario, published so that nothing finished is lost, torn or done twice.

The truth is the scenario files. The table is written from them, in the order of the study, and can be deleted.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import socket
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from sacrofem.errors import EnvironmentFailure, InputError, printable
from sacrofem.system.files import UNFINISHED, Content, Publisher, take_lock

LOCK = "lock"
SCENARIOS = "scenarios"
TABLE = "results.csv"
STUDY = "study.json"
RESERVED = ("scenario", "status", "error")
"""Columns of every table, beside factors and measures."""
MISSING = "missing"
"""Status of a scenario that is not solved yet."""
# A number, perhaps with its unit: no spreadsheet takes it for a formula, whatever its sign.
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?: ?[^\W\d]+(?:/[^\W\d]+)?| ?%)?")
_KEY = re.compile(r"[0-9a-f]{64}")


class Progress(NamedTuple):
    """How far the study of a folder is: its name, the key of every scenario by number, and how many are done."""

    name: str
    keys: Mapping[int, str]
    done: int
    failed: int

    @property
    def missing(self) -> int:
        """How many have no result yet."""
        return len(self.keys) - self.done - self.failed


@dataclass(frozen=True)
class Store:
    """Scenario files in a folder.

    Parameters
    ----------
    folder
    publisher
        How files are put in place.
    """

    folder: Path
    publisher: Publisher = field(default_factory=Publisher)

    def prepare(self) -> None:
        """Make the folder, and clear it of what a crash left half written."""
        try:
            (self.folder / SCENARIOS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentFailure(f"{self.folder}: cannot be made ({error.strerror or error})") from error
        for place in (self.folder, self.folder / SCENARIOS):
            for left in place.glob(f"{UNFINISHED}*"):
                left.unlink(missing_ok=True)

    def path(self, key: str) -> Path:
        """File of a scenario."""
        return self.folder / SCENARIOS / f"{key}.json"

    def put(self, path: Path, content: Content) -> None:
        """Put a file of the study in its place, whole or not at all.

        Raises
        ------
        EnvironmentFailure
            The disk is full or the folder cannot be written.
        """
        try:
            self.publisher.publish(path, content)
        except EnvironmentFailure as error:
            raise EnvironmentFailure(
                f"{error}; what is finished is kept: make room and run the same command again"
            ) from error

    def publish(self, key: str, record: Mapping[str, Any]) -> None:
        """Keep the record of a finished scenario."""
        body = json.dumps(record, sort_keys=True, ensure_ascii=False, allow_nan=False)
        seal = hashlib.sha256(body.encode()).hexdigest()
        self.put(self.path(key), f'{{"sha256": "{seal}",\n"record": {body}}}\n')

    def read(self, key: str) -> dict[str, Any] | None:
        """The record of a scenario; None where there is none, or where the file is not what was published."""
        try:
            text = self.path(key).read_text(encoding="utf-8")
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        try:
            content = json.loads(text)
            record = content["record"]
            body = json.dumps(record, sort_keys=True, ensure_ascii=False, allow_nan=False)
        except (ValueError, LookupError, TypeError, RecursionError):
            return None
        sound = isinstance(record, dict) and hashlib.sha256(body.encode()).hexdigest() == content.get("sha256")
        return record if sound else None

    def scenarios(self) -> tuple[str, dict[int, str]]:
        """Name of the study of this folder, and the key of every scenario by number.

        Raises
        ------
        InputError
            No study was run here.
        """
        path = self.folder / STUDY
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            keys = {int(scenario["scenario"]): str(scenario["key"]) for scenario in content["scenarios"]}
            name = str(content["name"])
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            keys, name = {}, ""
        if not keys or not all(map(_KEY.fullmatch, keys.values())):
            raise InputError("is no study", file=path, mend="name a folder that `sacrofem study run` wrote")
        return name, keys

    def progress(self) -> Progress:
        """How far the study of this folder is.

        Raises
        ------
        InputError
            No study was run here.
        """
        name, keys = self.scenarios()
        states = [record and record["status"] == "done" for record in map(self.read, keys.values())]
        return Progress(name, keys, states.count(True), states.count(False))

    def discard(self, key: str) -> None:
        """Forget a scenario, so that it is done again."""
        self.path(key).unlink(missing_ok=True)

    def table(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        """Write the table of the study; floats with all their digits."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([[_cell(row.get(column)) for column in columns] for row in rows])
        self.put(self.folder / TABLE, text.getvalue())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other runner out as long as this process lives.

        Raises
        ------
        EnvironmentFailure
            Another runner is at work: its host and pid.
        """
        path = self.folder / LOCK
        try:
            # Not inherited by children: a worker that outlives us must not hold it.
            file = open(path, "a+", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise EnvironmentFailure(f"{path}: cannot be opened ({error.strerror or error})") from error
        with file:
            if not take_lock(file.fileno()):
                file.seek(0)
                raise EnvironmentFailure(
                    f"{self.folder}: another runner is at work there ({file.read().strip() or 'unknown'}); "
                    "wait for it, or name another folder"
                )
            file.seek(0)
            file.truncate()
            file.write(f"host {socket.gethostname()}, pid {os.getpid()}")
            file.flush()
            yield

    def runner(self) -> str | None:
        """Host and pid of a runner that is at work, None where there is none."""
        try:
            with open(self.folder / LOCK, "r+", encoding="utf-8") as file:
                return None if take_lock(file.fileno()) else file.read().strip()
        except OSError:
            return None


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return repr(value)
    text = printable(value)
    return f"'{text}" if is_formula(text) else text


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would take a text for a formula, whatever blanks and wide letters it begins with."""
    shown = unicodedata.normalize("NFKC", text).lstrip("'").lstrip()
    return shown.startswith(("=", "+", "-", "@")) and not _NUMBER.fullmatch(text)


def value_of(cell: str) -> Any:
    """What a cell of the table holds: a number, true or false, a text, or None where it is empty."""
    if cell in ("", "true", "false"):
        return {"": None, "true": True, "false": False}[cell]
    if cell.startswith("'") and is_formula(cell[1:]):
        return cell[1:]
    try:
        return int(cell) if cell.lstrip("-").isdigit() else float(cell)
    except ValueError:
        return cell
