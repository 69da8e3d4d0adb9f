"""What makes two cases the same: their values and what is in the files that they name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from sacrofem.case.case import OWN_FILES, Case
from sacrofem.system.files import sha256


def digest(content: Any) -> str:
    """Hash of plain data, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False, default=list)
    return hashlib.sha256(text.encode()).hexdigest()


def content_of(case: Case, hashed: dict[str, str] | None = None) -> dict[str, Any]:
    """What decides a result: all but the name of a case, and threads and memory.

    A file of one's own counts by what is in it and not by where it lies: a changed one makes another case, a moved one
    does not.

    Parameters
    ----------
    case
    hashed
        Hashes of files by name, of those that were read already; filled.
    """
    hashed = {} if hashed is None else hashed
    content = case.to_dict()
    content.pop("name")
    for section, key in OWN_FILES:
        name = getattr(getattr(case, section), key)
        if name is not None and Path(name).exists():
            if name not in hashed:
                hashed[name] = _whole(Path(name))
            content[section][key] = hashed[name]
    content["solver"] = {k: v for k, v in content["solver"].items() if k not in ("threads", "memory_gib")}
    return content


def identity(command: str, case: Case) -> str:
    """Hash of what a command makes of a case, of the same name: for `sacrofem.system.folders`."""
    return digest({"command": command, "name": case.name, **content_of(case)})


def _whole(path: Path) -> str:
    """Hash of a file, or of all files of a folder."""
    if path.is_dir():
        return digest({str(file.relative_to(path)): sha256(file) for file in path.rglob("*") if file.is_file()})
    return sha256(path)
