"""What is promised of threads (docs/theory/solver.md): the same number, the same bits; another number, 1e-9."""

import json
import os
import subprocess
import sys

import pytest

CODE = """
import json
from sacrofem import Case, Specimen
case = Case.preset("sif-unilateral").with_(mesh__reference="tiny")
found = [Specimen(case.with_(solver__threads=count)).solve() for count in (2, 2, 1)]
print(json.dumps([{key: value for key, value in state.measures.items() if value is not None} for state in found]))
"""


@pytest.mark.slow
def test_the_same_threads_give_the_same_bits_and_other_threads_the_same_numbers():
    environment = {**os.environ, **{f"{name}_NUM_THREADS": "2" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    two, again, one = json.loads(done.stdout)
    assert again == two
    assert one == pytest.approx(two, rel=1e-9)
