"""What is promised of threads (docs/theory/solver.md): the same number, the same bits; another number, 1e-9."""

import json
import os
import subprocess
import sys

import pytest

CODE = """
import json, sys
from sacrofem import Case, compare
case = Case.preset("sif-bilateral").with_(mesh__reference="tiny", solver__threads=int(sys.argv[1]))
result = compare(case)
print(json.dumps([dict(result.before), dict(result.after)]))
"""


def measures(threads):
    environment = {**os.environ, **{f"{name}_NUM_THREADS": "2" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}}
    command = [sys.executable, "-c", CODE, str(threads)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.slow
def test_the_same_threads_give_the_same_bits_and_other_threads_the_same_numbers():
    two = measures(2)
    assert measures(2) == two
    for state, other in zip(two, measures(1), strict=True):
        assert state == pytest.approx(other, rel=1e-9)
        assert state.keys() == other.keys()
