"""The result folder: what may be written where, and files that are whole or absent."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from sacrofem.errors import EnvironmentFailure, InputError
from sacrofem.system.files import UNFINISHED, Publisher, json_text, sha256, take_lock
from sacrofem.system.memory import peak_bytes
from sacrofem.system.signals import interrupts_wait
from sacrofem.system.version import VERSION

MANIFEST = "manifest.json"
# A stage of ours, or a single file on its way; what a user calls otherwise is never touched.
_LEFT_OVER = re.compile(re.escape(UNFINISHED) + r"(?:[a-z0-9_]{8}|[0-9a-f]{8}-.+)")

_LIBRARIES = ("numpy", "scipy", "numba", "scikit-fem", "meshio", "matplotlib", "pydantic", "mmgpy")


def versions() -> dict[str, str]:
    """Versions of sacrofem, Python and the libraries that decide a result."""
    found = {"sacrofem": VERSION, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def check_folder(folder: Path, *, overwrite: bool = False, inputs: Sequence[Path] = (), of: str | None = None) -> None:
    """Refuse a result folder before anything is solved.

    It must be absent, empty or hold a result of the same, unless ``overwrite``; it must be writable, no link, and none
    of the ``inputs`` may lie in it. What a run of ours that was killed left there counts for nothing.

    Parameters
    ----------
    folder
    overwrite
    inputs
        Files that the run reads.
    of
        What the result will be of, as `result_folder` will be told; None: any result of ours may stand there.

    Raises
    ------
    InputError
    """
    if "\0" in str(folder):
        raise InputError("is no path: it holds a NUL", field="--out", value=str(folder), mend="name a folder")
    if folder.is_symlink():
        # What is written through a link lands where nobody looks for it, perhaps over something else.
        mend = f"name {folder.resolve()} itself"
        raise InputError("is a link to another place", field="--out", value=str(folder), mend=mend)
    if folder.exists() and not folder.is_dir():
        raise InputError("is not a folder", field="--out", value=str(folder), mend="name another folder")
    if folder.is_dir() and not overwrite:
        mend = "name another or give --overwrite"
        manifest = manifest_of(folder)
        if manifest is None and not {path.name for path in folder.iterdir() if not _left_over(path)} <= _moved(folder):
            raise InputError("holds files that are not ours", field="--out", value=str(folder), mend=mend)
        if manifest is not None and of is not None and manifest.get("of") != of:
            raise InputError("holds another result", field="--out", value=str(folder), mend=mend)
    if mine := next((path for path in inputs if path.resolve().parent == folder.resolve()), None):
        # The result has files of these names, or will clear the folder of them next time.
        problem = f"holds the input {mine.name}"
        raise InputError(problem, field="--out", value=str(folder), mend="name a folder of its own for the result")
    check_writable(folder, "--out")


def check_writable(path: Path, field: str) -> None:
    """Refuse a path under whose nearest existing folder nothing can be written."""
    parent = next(place for place in (path, *path.absolute().parents) if place.exists())
    problem = None
    if not parent.is_dir():
        problem = f"{parent} is not a folder"
    else:
        try:
            tempfile.TemporaryFile(dir=parent).close()
        except OSError as error:
            problem = f"cannot be written ({error.strerror})"
    if problem:
        raise InputError(problem, field=field, value=str(path), mend="name a place that can be written")


def manifest_of(folder: Path) -> dict[str, Any] | None:
    """The manifest of a result of ours, None where there is none."""
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    versions, files = content.get("versions"), content.get("files")
    return content if isinstance(versions, dict) and "sacrofem" in versions and isinstance(files, dict) else None


def _left_over(path: Path) -> bool:
    return _LEFT_OVER.fullmatch(path.name) is not None


def _kept(folder: Path, manifest: Mapping[str, Any]) -> set[str]:
    """Names of those files of a manifest that still are in the folder as they were written."""
    found = set()
    for name, about in manifest["files"].items():
        # A manifest that somebody edited must not make us look or delete elsewhere.
        if name.isprintable() and Path(name).name == name and (path := folder / name).is_file():
            with suppress(OSError):
                if isinstance(about, dict) and about.get("sha256") == sha256(path):
                    found.add(name)
    return found


def _moved(folder: Path) -> set[str]:
    """Names of files that a run which was killed had moved into their place already."""
    stages = [path for path in folder.glob(f"{UNFINISHED}*") if _left_over(path) and path.is_dir()]
    return set().union(*(_kept(folder, manifest) for stage in stages if (manifest := manifest_of(stage))))


def _clear(folder: Path) -> None:
    """Remove what runs that were killed left half written; not what one at work has locked."""
    for path in folder.glob(f"{UNFINISHED}*"):
        if not _left_over(path):
            continue
        if not path.is_dir():
            path.unlink(missing_ok=True)
        elif (handle := _locked(path)) is not False:
            shutil.rmtree(path, ignore_errors=True)
            if handle is not None:
                os.close(handle)


def _locked(stage: Path) -> int | Literal[False] | None:
    """A handle of a folder that we alone hold now; False where another process does, None where none can tell."""
    if sys.platform == "win32":
        return None
    handle = os.open(stage, os.O_RDONLY)
    if take_lock(handle):
        return handle
    os.close(handle)
    return False


@contextmanager
def result_folder(folder: Path, *, of: str | None = None, **facts: object) -> Iterator[Path]:
    """A temporary folder whose files move to ``folder`` when the block ends well; nothing moves when it fails.

    Each file replaces its namesake by a rename, the manifest (hashes of all others) last. Files of an earlier result of
    ours that are no longer produced go, unless somebody changed them; files that are not ours stay. What an earlier
    run that was killed left half written is cleared.

    Parameters
    ----------
    folder
        Made with its parents where absent.
    of
        What the result is of, for `check_folder` of a later run.
    **facts
        Further entries of the manifest.

    Raises
    ------
    EnvironmentFailure
        Disk or permission.
    """
    publisher = Publisher()
    started = time.perf_counter()
    stage, lock, made = None, None, not folder.exists()
    try:
        earlier = manifest_of(folder)
        old = _moved(folder) | (_kept(folder, earlier) if earlier else set())
        folder.mkdir(parents=True, exist_ok=True)
        _clear(folder)
        stage = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder))
        lock = _locked(stage)
        yield stage
        files = sorted(path for path in stage.iterdir() if path.is_file())
        manifest = {
            "schema": 1,
            "of": of,
            "versions": versions(),
            "platform": platform.platform(),
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "peak_memory_mib": peak_memory_mib(),
            "writing_seconds": round(time.perf_counter() - started, 3),
            **facts,
            "files": {path.name: {"sha256": sha256(path), "bytes": path.stat().st_size} for path in files},
        }
        publisher.write(stage / MANIFEST, json_text(manifest))
        for path in (*files, stage / MANIFEST):
            publisher.sync(path)
        with interrupts_wait(f"the result in {folder} is complete"):
            for path in (*files, stage / MANIFEST):
                publisher.replace(path, folder / path.name)
            for name in old - {path.name for path in files}:
                (folder / name).unlink(missing_ok=True)
            publisher.sync_folder(folder)
            made = False
    except OSError as error:
        raise EnvironmentFailure(f"{folder}: cannot be written ({error.strerror or error})") from error
    finally:
        with interrupts_wait():
            if stage is not None:
                shutil.rmtree(stage, ignore_errors=True)
            if lock:
                os.close(lock)
            if made:
                # Others may have put something there meanwhile.
                with suppress(OSError):
                    folder.rmdir()


def peak_memory_mib() -> float | None:
    """Largest resident memory of this process so far, MiB; None where the platform does not tell."""
    peak = peak_bytes()
    return None if peak is None else round(peak / 2**20, 1)
