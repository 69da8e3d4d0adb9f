"""The result folder: what may be written where, and files that are whole or absent."""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from sacrofem.errors import EnvironmentFailure, InputError
from sacrofem.system.files import UNFINISHED, Publisher, json_text, sha256
from sacrofem.system.memory import peak_bytes
from sacrofem.system.signals import interrupts_wait
from sacrofem.system.version import VERSION

MANIFEST = "manifest.json"


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


def check_folder(folder: Path, *, overwrite: bool = False, inputs: Sequence[Path] = ()) -> None:
    """Refuse a result folder before anything is solved.

    It must be absent, empty or carry our manifest, unless ``overwrite``; it must be writable, no link, and none
    of the ``inputs`` may lie in it.

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
    if folder.is_dir() and any(folder.iterdir()) and not overwrite and not is_ours(folder):
        raise InputError(
            "holds files that are not ours", field="--out", value=str(folder), mend="name another or give --overwrite"
        )
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


def is_ours(folder: Path) -> bool:
    """Whether a folder carries the manifest of a sacrofem result."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "sacrofem" in content.get("versions", {})


@contextmanager
def result_folder(folder: Path, **facts: object) -> Iterator[Path]:
    """A temporary folder whose files move to ``folder`` when the block ends well; nothing moves when it fails.

    Each file replaces its namesake by a rename, the manifest (hashes of all others) last. Files of
    an earlier result of ours that are no longer produced go; files that are not ours stay.

    Parameters
    ----------
    folder
        Made with its parents where absent.
    **facts
        Further entries of the manifest.

    Raises
    ------
    EnvironmentFailure
        Disk or permission.
    """
    publisher = Publisher()
    started = time.perf_counter()
    stage = None
    try:
        old = _listed(folder)
        folder.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder))
        yield stage
        files = sorted(path for path in stage.iterdir() if path.is_file())
        manifest = {
            "schema": 1,
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
    except OSError as error:
        raise EnvironmentFailure(f"{folder}: cannot be written ({error.strerror or error})") from error
    finally:
        if stage is not None:
            shutil.rmtree(stage, ignore_errors=True)


def _listed(folder: Path) -> set[str]:
    if not is_ours(folder):
        return set()
    names = json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("files", {})
    # A manifest that somebody edited must not make us delete outside the folder.
    return {name for name in names if Path(name).name == name}


def peak_memory_mib() -> float | None:
    """Largest resident memory of this process so far, MiB; None where the platform does not tell."""
    peak = peak_bytes()
    return None if peak is None else round(peak / 2**20, 1)
