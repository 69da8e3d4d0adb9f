"""Files put in their place whole or not at all, and what a file is known by."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sacrofem.errors import EnvironmentFailure

# Of a temporary file the permissions would be those of a secret; results have those of any other file.
_UMASK = os.umask(0o022)
os.umask(_UMASK)
_MODE = 0o666 & ~_UMASK


class Publisher:
    """The steps of publishing a file, each by itself so that a crash can be tried at every one."""

    def write(self, handle: int, content: bytes) -> None:
        """Fill the temporary file."""
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]

    def sync(self, handle: int) -> None:
        """Let the file reach the disk."""
        os.fsync(handle)

    def replace(self, temporary: str, path: Path) -> None:
        """Put the file in its place."""
        os.replace(temporary, path)

    def sync_folder(self, folder: Path) -> None:
        """Let the name reach the disk."""
        if sys.platform == "win32":
            return
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def publish(self, path: Path, content: bytes) -> None:
        """Write a file whole or not at all.

        Raises
        ------
        EnvironmentFailure
            The disk is full or the folder cannot be written.
        """
        temporary = None
        try:
            handle, temporary = tempfile.mkstemp(suffix=".partial", prefix=".", dir=path.parent)
            try:
                if sys.platform != "win32":
                    os.fchmod(handle, _MODE)
                self.write(handle, content)
                self.sync(handle)
            finally:
                os.close(handle)
            self.replace(temporary, path)
            temporary = None
            self.sync_folder(path.parent)
        except OSError as error:
            raise EnvironmentFailure(
                f"{path}: cannot be written ({error.strerror or error}); what is finished is kept: make room and run "
                "the same command again"
            ) from error
        finally:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Hash of a file's content."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path`` and rename it: never a half-written file.

    Raises
    ------
    EnvironmentFailure
        The folder or the file cannot be written.
    """
    temporary = None
    try:
        handle, name = tempfile.mkstemp(suffix=path.suffix, prefix=f".{path.stem}-", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise EnvironmentFailure(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def json_text(content: Mapping[str, Any]) -> str:
    """Readable JSON with a line at its end."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
