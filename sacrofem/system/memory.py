"""How much memory the process has used and may still use."""

from __future__ import annotations

import sys
from pathlib import Path

from sacrofem.errors import EnvironmentFailure

GIB = 2**30
# Of a comparison with P2 on top of the program itself: 0.95 GiB at 277,000 unknowns, 2.7 GiB at 1,070,000.
BYTES_PER_UNKNOWN = 2500
# Share of the available memory that a solve may take unless it is told otherwise.
DEFAULT_SHARE = 0.8
_UNLIMITED = 2**60
# Limit and use of a control group, in versions 2 and 1; the second name counts caches that can be dropped.
_GROUPS = (
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)


def peak_bytes() -> int | None:
    """Largest resident memory of this process so far; None where the platform does not tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def resident_bytes(proc: Path = Path("/proc")) -> int:
    """Resident memory of this process now; where the platform does not tell, its peak, else 0."""
    fields = _table(proc / "self/status")
    return fields["VmRSS"] * 1024 if "VmRSS" in fields else peak_bytes() or 0


def available_bytes(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What may still be allocated: free memory of the machine, or less inside a limited container.

    None where the platform does not tell.
    """
    found = []
    machine = _table(proc / "meminfo")
    if "MemAvailable" in machine:
        found.append(machine["MemAvailable"] * 1024)
    for limit_name, use_name, stat_name in _GROUPS:
        for folder in _own_groups(proc, groups):
            limit, use = _number(folder / limit_name), _number(folder / use_name)
            if limit is not None and use is not None and limit < _UNLIMITED:
                idle = _table(folder / stat_name).get("inactive_file", 0)
                found.append(max(limit - use + idle, 0))
    return min(found) if found else None


def limit_bytes(memory_gib: float | None) -> int | None:
    """Resident memory that the process may reach: as told, or what it has and 80 % of what is available."""
    if memory_gib is not None:
        return int(memory_gib * GIB)
    available = available_bytes()
    return None if available is None else resident_bytes() + int(DEFAULT_SHARE * available)


def check_unknowns(unknowns: int, memory_gib: float | None = None) -> None:
    """Refuse a P2 model that the memory cannot hold, before anything large is built.

    Raises
    ------
    EnvironmentFailure
        With what is needed and what is allowed.
    """
    need, limit = BYTES_PER_UNKNOWN * unknowns, limit_bytes(memory_gib)
    if limit is not None and need > limit:
        raise EnvironmentFailure(
            f"{unknowns} unknowns need about {need / GIB:.1f} GiB of memory, {limit / GIB:.1f} GiB are allowed; "
            "use a larger mesh.size_mm, or mesh.order = 1"
        )


def _own_groups(proc: Path, groups: Path) -> list[Path]:
    """The control group at the root (what a container sees as its own) and those around this process."""
    folders = [groups]
    try:
        lines = (proc / "self/cgroup").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return folders
    for line in lines:
        if line.startswith("0::"):
            inside = Path(line[3:].strip().lstrip("/"))
            folders += [groups / part for part in (inside, *inside.parents) if ".." not in part.parts]
    return folders


def _table(file: Path) -> dict[str, int]:
    """Lines ``name: 12 kB`` or ``name 12`` as numbers; empty where the file cannot be read."""
    try:
        lines = file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.replace(":", " ").split() for line in lines)
    return {words[0]: int(words[1]) for words in pairs if len(words) > 1 and words[1].isdigit()}


def _number(file: Path) -> int | None:
    try:
        text = file.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
