"""What hostile and random input meets, counted: each in a process of its own.

python tests/helpers/adversarial.py files|cases|mutated-cases [--count N] [--seed S]

files: mutants of each format that is read. cases: random valid cases through `check`. mutated-cases: case and study
files, damaged, through `check` and `study run --dry-run`. Full counts (60, 300, 300) are run by hand; the tests run a
tenth of them. The exit status is 1 where anything but success or a refusal in one line was seen.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from alone import Found, alone
from mutants import damaged, mutants
from randomcases import random_case

FULL = {"files": 60, "cases": 300, "mutated-cases": 300}
STUDY = """schema = 1
name = "trial"
preset = "sif-unilateral"
[case.mesh]
reference = "tiny"
[[factors]]
path = "cement.volume_ml"
values = [1.0, 2.0]
[[factors]]
path = "materials.density_factor"
low = 0.5
high = 1.5
[design]
kind = "latin-hypercube"
samples = 6
seed = 3
"""


def cases(folder: Path, count: int, seed: int) -> Iterator[tuple[str, str, Found]]:
    """Random valid cases through `check`."""
    from sacrofem.case.tomlfile import emit_toml
    from sacrofem.cli import main

    path = folder / "case.toml"
    for number in range(1, count + 1):
        path.write_text("schema = 1\n" + emit_toml(random_case(1000 * seed + number)))
        yield "case", str(number), alone(partial(main, ["check", str(path)]))


def mutated_cases(folder: Path, count: int, seed: int) -> Iterator[tuple[str, str, Found]]:
    """Damaged case and study files."""
    from sacrofem.case.tomlfile import emit_toml
    from sacrofem.cli import main

    case, study = folder / "case.toml", folder / "study.toml"
    for number in range(1, count + 1):
        if number % 3:
            sound = "schema = 1\n" + emit_toml(random_case(2000 * seed + number))
            kind, content = damaged(sound.encode(), seed, number)
            case.write_bytes(content)
            yield "case", f"{number} {kind}", alone(partial(main, ["check", str(case)]))
        else:
            kind, content = damaged(STUDY.encode(), seed, number)
            study.write_bytes(content)
            call = ["study", "run", str(study), "--out", str(folder / "out"), "--dry-run"]
            yield "study", f"{number} {kind}", alone(partial(main, call))


def main() -> int:
    """Count, print, and say whether there were faults."""
    parser = argparse.ArgumentParser(description="count what hostile and random input meets")
    parser.add_argument("trial", choices=FULL)
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    trial = {"files": mutants, "cases": cases, "mutated-cases": mutated_cases}[given.trial]
    seen: dict[str, Counter[str]] = {}
    slowest: Counter[str] = Counter()
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, label, found in trial(Path(folder), given.count or FULL[given.trial], given.seed):
            outcome = found.fault or {0: "taken", 3: "unsafe"}.get(found.status, "refused")
            seen.setdefault(name, Counter())[outcome] += 1
            slowest[name] = max(slowest[name], round(1000 * found.seconds))
            if found.fault:
                faults += 1
                say(f"{name} {label}: {found.fault}\n{found.said[-1500:]}")
    for name, row in seen.items():
        counts = ", ".join(f"{count} {word}" for word, count in sorted(row.items()))
        say(f"{name:16} {counts}; slowest {slowest[name]} ms")
    say(f"{faults} faults")
    return int(faults > 0)


def say(text: str) -> None:
    """Print at once: a trial takes minutes."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
