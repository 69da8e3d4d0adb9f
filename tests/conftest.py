import os
import signal
import sys
from pathlib import Path

# One thread: the same bits everywhere, and no fight for cores. Must be set before NumPy and numba are imported.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# A job in the background of a script is born with interrupts ignored, and would hand that on to all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

sys.path.insert(0, str(Path(__file__).parent / "helpers"))

pytest_plugins = ["verification_record"]
