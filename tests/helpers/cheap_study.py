"""A study whose scenarios cost next to nothing, for tests of what happens around them.

python cheap_study.py STUDY OUT EXECUTOR JOBS LOG
"""

import math
import os
import sys
import time
from pathlib import Path

SECONDS = 0.02


class Cheap:
    """Values from a formula; every evaluation leaves a line in the file that ``CHEAP_LOG`` names."""

    def __call__(self, cases, places):
        for place in places:
            case = cases[place]
            volume, factor = case.cement.volume_ml, case.materials.density_factor
            time.sleep(SECONDS)
            if log := os.environ.get("CHEAP_LOG"):
                with open(log, "a", encoding="utf-8") as file:
                    file.write(f"{volume!r} {factor!r} {os.getpid()}\n")
            if volume == 6.5:
                yield place, {"status": "failed", "error": "InputError: too much", "values": {}}
                continue
            values = {"answer": math.sin(volume) / factor, "count": round(10 * volume)}
            yield place, {"status": "done", "error": "", "values": values}


class Deadly(Cheap):
    """As `Cheap`, but one scenario kills its worker."""

    def __call__(self, cases, places):
        for place, record in super().__call__(cases, places):
            if (cases[place].cement.volume_ml, cases[place].materials.density_factor) == (2.0, 1.0):
                os.kill(os.getpid(), 9)
            yield place, record


class Ishigami:
    """sin x1 + 7 sin² x2 + 0.1 x3⁴ sin x1, its inputs hidden in three keys of a case."""

    def __call__(self, cases, places):
        for place in places:
            case = cases[place]
            x1, x2, x3 = (
                2.0 * math.pi * share - math.pi
                for share in (
                    case.cement.volume_ml - 1.0,
                    case.materials.density_factor - 1.0,
                    case.load.slope_deg - 1.0,
                )
            )
            value = math.sin(x1) + 7.0 * math.sin(x2) ** 2 + 0.1 * x3**4 * math.sin(x1)
            yield place, {"status": "done", "error": "", "values": {"ishigami": value}}


if __name__ == "__main__":
    from sacrofem.study.design import read_study
    from sacrofem.study.runner import run_study

    study, out, executor, jobs = sys.argv[1:5]
    outcome = run_study(read_study(Path(study)), Path(out), executor=executor, jobs=int(jobs), factory=Cheap)
    sys.stdout.write(f"{outcome.total} {outcome.done} {outcome.failed} {outcome.solved}\n")
