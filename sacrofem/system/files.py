"""Files put in their place whole or not at all, and what a file is known by."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sacrofem.errors import EnvironmentFailure, InputError

UNFINISHED = ".partial-"
"""Beginning of the name of what is not in its place yet: a crash may leave it behind, and it is never read."""

Content = str | bytes | Callable[[Path], object]


class Publisher:
    """The one way into place: a temporary file beside it, filled, synced and renamed.

    Each step stands by itself so that a crash can be tried at every one.
    """

    def create(self, path: Path) -> Path:
        """Make the empty file that will become ``path``, with the permissions of any new file."""
        # Its own ending stays: that is how libraries know what to write.
        temporary = path.with_name(f"{UNFINISHED}{secrets.token_hex(4)}-{path.name}")
        # The kernel takes the umask off; asking for it in Python would change it for all threads.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        return temporary

    def write(self, temporary: Path, content: Content) -> None:
        """Fill the temporary file."""
        if isinstance(content, str):
            content = content.encode()
        if isinstance(content, bytes):
            temporary.write_bytes(content)
        else:
            content(temporary)

    def sync(self, temporary: Path) -> None:
        """Let the file reach the disk."""
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())

    def replace(self, temporary: Path, path: Path) -> None:
        """Put the file in its place."""
        temporary.replace(path)

    def sync_folder(self, folder: Path) -> None:
        """Let the name reach the disk."""
        if sys.platform == "win32":
            return
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def publish(self, path: Path, content: Content) -> None:
        """Write a file whole or not at all; see `replace_file`."""
        temporary = None
        try:
            temporary = self.create(path)
            self.write(temporary, content)
            self.sync(temporary)
            self.replace(temporary, path)
            self.sync_folder(path.parent)
        except OSError as error:
            raise EnvironmentFailure(f"{path}: cannot be written ({error.strerror or error})") from error
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)


def replace_file(path: Path, content: Content) -> None:
    """Put a file in its place, or leave what was there: never a half-written one.

    Parameters
    ----------
    path
        A link there is replaced, not followed.
    content
        Text (UTF-8), bytes, or what fills the temporary file that it is given.

    Raises
    ------
    InputError
        The path holds a NUL.
    EnvironmentFailure
        The folder or the file cannot be written.
    """
    if "\0" in str(path):
        raise InputError("is no path: it holds a NUL", value=str(path), mend="name a file")
    Publisher().publish(path, content)


def take_lock(handle: int) -> bool:
    """Take the kernel's lock of an open file or folder, if no other process has it; it ends with the process."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, 0, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def sha256(path: Path) -> str:
    """Hash of a file's content."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def json_text(content: Mapping[str, Any] | Sequence[Any], indent: int = 2) -> str:
    """Readable JSON with a line at its end."""
    return json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
