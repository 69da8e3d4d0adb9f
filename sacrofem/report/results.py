"""The result folder: what may be written where, and files that are whole or absent."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sacrofem import __version__
from sacrofem.errors import EnvironmentFailure, InputError
from sacrofem.hashing import sha256
from sacrofem.memory import peak_bytes
from sacrofem.signals import interrupts_wait

if TYPE_CHECKING:
    from sacrofem.compare import Comparison

MANIFEST = "manifest.json"
_LIBRARIES = ("numpy", "scipy", "numba", "scikit-fem", "meshio", "matplotlib", "pydantic", "mmgpy")


def versions() -> dict[str, str]:
    """Versions of sacrofem, Python and the libraries that decide a result."""
    found = {"sacrofem": __version__, "python": platform.python_version()}
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
    started = time.perf_counter()
    stage = None
    try:
        old = _listed(folder)
        folder.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
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
        (stage / MANIFEST).write_text(_json(manifest), encoding="utf-8")
        for path in (*files, stage / MANIFEST):
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
        with interrupts_wait(f"the result in {folder} is complete"):
            for path in (*files, stage / MANIFEST):
                path.replace(folder / path.name)
            for name in old - {path.name for path in files}:
                (folder / name).unlink(missing_ok=True)
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


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_comparison(folder: Path, comparison: Comparison, *, seconds: float, inputs: Mapping[str, str]) -> None:
    """Leave a comparison in a folder: JSON, meshes with fields, figures, report, case and manifest.

    Parameters
    ----------
    folder
        Checked by `check_folder`.
    comparison
    seconds
        Wall time of the comparison.
    inputs
        Hash of each file that was read, by name.

    Raises
    ------
    EnvironmentFailure
    """
    from sacrofem.mesh.files import write_mesh
    from sacrofem.report import fields, figures, html
    from sacrofem.report.scene import scene_of

    facts = {"seconds": round(seconds, 3), "inputs": dict(inputs)}
    with result_folder(folder, **facts) as stage:
        content = comparison.to_json()
        (stage / "comparison.json").write_text(_json(content), encoding="utf-8")
        (stage / "case.toml").write_text(comparison.case.to_toml(), encoding="utf-8")
        for name in comparison.states:
            write_mesh(stage / f"{name}.vtu", comparison.mesh, **fields.state_fields(comparison, name))
        for name, figure in figures.comparison_figures(comparison).items():
            figure.savefig(stage / f"{name}.png", dpi=200)
        run = {
            **facts,
            "versions": versions(),
            "platform": platform.platform(),
            "peak_memory_mib": peak_memory_mib(),
            "files": {path.name: sha256(path) for path in sorted(stage.iterdir()) if path.suffix != ".png"},
        }
        page = html.render(content, _pictures(stage), scene=scene_of(comparison), run=run)
        (stage / "report.html").write_text(page, encoding="utf-8")


def _pictures(stage: Path) -> dict[str, Path]:
    """Every figure of a result by name: ours in the order of the report, others behind them."""
    from sacrofem.report.figures import FIGURES

    found = {path.stem: path for path in sorted(stage.glob("*.png"))}
    order = [name for name in FIGURES if name in found]
    return {name: found[name] for name in (*order, *sorted(found.keys() - set(order)))}
