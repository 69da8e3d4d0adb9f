"""Hundreds of random inputs and interrupts, each in a process of its own: no traceback, no signal, one short line.

    python tests/adversarial.py [--share 0.1] [--seed 0] [--only cases|damaged|files|interrupts]

Prints a table; the exit status is 1 where a promise is broken, with the input that broke it.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings

sys.path.insert(0, str(Path(__file__).parent / "helpers"))
from alone import Found
from mutants import mutants
from random_input import STUDY, case_texts, damaged, seeds_of_damage

# Of files: of each format that is read.
COUNTS = {"cases": 300, "damaged": 300, "files": 60, "interrupts": 200}
COMMAND = (sys.executable, "-m", "sacrofem")


@dataclass
class Tally:
    """Statuses by kind of input, the slowest and the largest, and what broke a promise."""

    statuses: dict = field(default_factory=dict)
    seconds: float = 0.0
    bytes: int = 0
    broken: list = field(default_factory=list)

    def add(self, status, seconds=0.0, size=0):
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.seconds, self.bytes = max(self.seconds, seconds), max(self.bytes, size)

    def judge(self, found, faults, what):
        """Count a call, and keep what it broke."""
        self.add(found.status, found.seconds, found.bytes)
        if faults:
            self.broken.append((", ".join(faults), found.said.strip()[-300:], what))


def ended(arguments, folder, timeout=120.0):
    """What became of a command."""
    with (folder / "stderr").open("w+b") as err:
        process = subprocess.Popen([*COMMAND, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=err)
        until = time.monotonic() + timeout
        while not (waited := os.wait4(process.pid, os.WNOHANG))[0]:
            if time.monotonic() > until:
                process.kill()
            time.sleep(0.02)
        _, status, usage = waited
        process.returncode = os.waitstatus_to_exitcode(status)
        err.seek(0)
        text = err.read().decode("utf-8", "replace")
    return Found(process.returncode, text, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def drawn(strategy, count, number, check):
    """Call check with so many examples; the same seed gives the same."""

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(example):
        check(example)

    run()


def _one(tally, folder, name, text, *, study=False):
    path = folder / name
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    words = ["study", "run", path, "--out", folder / "out", "--dry-run"] if study else ["check", path]
    found = ended(words, folder)
    tally.judge(found, found.faults((0, 2, 3)), text)


def cases(count, number, folder):
    """Random cases, valid key by key, through `check`."""
    tally = Tally()
    drawn(case_texts(), count, number, lambda text: _one(tally, folder, "case.toml", text))
    return tally


def damage(count, number, folder):
    """Damaged case and study files."""
    tally, texts = Tally(), seeds_of_damage()
    for place, (kind, text) in enumerate(texts):
        share = count // len(texts) + (place < count % len(texts))
        study = kind == "study"
        if share:
            check = lambda example, study=study: _one(tally, folder, "file.toml", example, study=study)  # noqa: E731
            drawn(damaged(text), share, number, check)
    return tally


def files(count, number, folder):
    """Damaged files of every format that is read."""
    tally = Tally()
    for name, what, found in mutants(folder, count, number):
        tally.judge(found, found.faults(), f"{name}, {what}")
    return tally


def surface(folder):
    """A surface to import: that of the shipped sacrum."""
    import trimesh

    from sacrofem.mesh.files.files import reference_mesh

    mesh = reference_mesh("sacrum-tiny-intact")
    path = folder / "sacrum.stl"
    trimesh.Trimesh(mesh.points, mesh.faces[np.asarray(mesh.pair_side) == 0]).export(path)
    return path


def interrupted(words, after, folder):
    """Status and standard error of a command that is interrupted after so many seconds; status None if it was over."""
    with (folder / "stderr").open("w+b") as err:
        process = subprocess.Popen([*COMMAND, *map(str, words)], stdout=subprocess.DEVNULL, stderr=err)
        time.sleep(after)
        over = process.poll() is not None
        process.send_signal(random.Random(after).choice([signal.SIGINT, signal.SIGTERM]))
        status = process.wait(timeout=120)
        err.seek(0)
        return None if over else status, err.read().decode("utf-8", "replace")


def interrupts(count, number, folder):
    """Interrupts at random moments of commands that write: 130 and one line each time, and no half result."""
    case, study = folder / "case.toml", folder / "study.toml"
    case.write_text('[mesh]\nreference = "tiny"\norder = 1\n')
    study.write_text(STUDY.replace('reference = "tiny"', 'reference = "tiny"\norder = 1'))
    # With the seconds that they take on a laptop.
    commands = {
        "compare": (7.0, ["compare", case]),
        "import": (25.0, ["import", surface(folder), "--size", "8"]),
        "study, serial": (9.0, ["study", "run", study, "--executor", "serial"]),
        "study, processes": (14.0, ["study", "run", study, "--executor", "processes", "--jobs", "2"]),
    }
    tally, rng = Tally(), random.Random(number)
    for place, (name, (whole, words)) in enumerate(commands.items()):
        if count > 10 * len(commands):
            began = time.monotonic()
            ended([*words, "--out", folder / f"whole-{place}"], folder, timeout=600)
            whole = time.monotonic() - began
        for turn in range(count // len(commands)):
            # Python itself takes a moment before anything of ours can be told.
            after = 0.3 + rng.random() * max(0.9 * whole - 0.3, 0.1)
            out = folder / f"out-{place}-{turn}"
            status, said = interrupted([*words, "--out", out], after, folder)
            tally.add("over before" if status is None else status)
            wrong = status not in (None, 130) or (status == 130 and len(said.splitlines()) != 1)
            half = [path for path in folder.glob(f"{out.name}/**/.partial-*")] if place < 2 else []
            if wrong or half or "Traceback" in said or "terminate" in said:
                tally.broken.append((f"{name} after {after:.2f} s: status {status}", said.strip()[:300], str(half)))
    return tally


KINDS = {"cases": cases, "damaged": damage, "files": files, "interrupts": interrupts}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=KINDS)
    given_ = parser.parse_args()
    lines, broken = (
        ["| input | count | statuses | longest / s | largest / MiB | broken |", "|---|---:|---|---:|---:|---:|"],
        0,
    )
    for name, run in KINDS.items():
        if given_.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                tally = run(max(1, round(given_.share * COUNTS[name])), given_.seed, Path(folder))
            statuses = ", ".join(f"{status}: {count}" for status, count in sorted(tally.statuses.items(), key=str))
            total = sum(tally.statuses.values())
            size = tally.bytes / 2**20
            lines.append(f"| {name} | {total} | {statuses} | {tally.seconds:.1f} | {size:.0f} | {len(tally.broken)} |")
            for what, said, text in tally.broken:
                sys.stdout.write(f"{name}: {what}\n  {said}\n  {text!r}\n")
            sys.stdout.flush()
            broken += len(tally.broken)
    sys.stdout.write("\n".join([f"seed {given_.seed}", *lines]) + "\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
