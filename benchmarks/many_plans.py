"""A thousand cement plans of one case, each with all its measures, in one process: seconds a plan and the memory.

python benchmarks/many_plans.py [--reference tiny|coarse|medium] [--count 1000]
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from sacrofem import Case, compare_plans
from sacrofem.system.memory import GIB, resident_bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", default="coarse", choices=("tiny", "coarse", "medium"))
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    case = Case.preset("sif-bilateral").with_(mesh__reference=options.reference)
    volumes = np.linspace(0.5, 9.0, options.count)
    cases = [case.with_(cement__volume_ml=float(volume)) for volume in volumes]
    start = last = time.perf_counter()
    for number, plan in enumerate(compare_plans(cases), 1):
        if number == 1 or number % 100 == 0:
            now = time.perf_counter()
            print(
                f"plan {number}: {plan.case.cement.volume_ml:.2f} ml, micromotion "
                f"{plan.after['micromotion_mean_um']:.1f} µm; {now - last:.1f} s since the last line, "
                f"{resident_bytes() / GIB:.2f} GiB resident",
                flush=True,
            )
            last = now
    print(f"{options.count} plans in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
