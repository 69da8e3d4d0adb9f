"""What every peer does alike: read the common model, time its stages, leave displacement, stress and a record.

Called by whatever Python a peer lives in, so NumPy alone and no syntax newer than Python 3.10.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))


def arguments() -> tuple[Path, Path]:
    """Folder of the model, and the folder to write to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    return given.model, given.out


def read_model(folder: Path) -> SimpleNamespace:
    """Arrays of ``model.npz`` (see ``model.write``) by name."""
    with np.load(folder / "model.npz") as content:
        return SimpleNamespace(**{name: content[name] for name in content.files})


class Record:
    """Seconds of each stage, and whatever else a peer tells of itself."""

    def __init__(self, **facts: object) -> None:
        self.facts: dict[str, object] = {"threads": THREADS, **facts}
        self.stages: dict[str, float] = {}
        self._last = time.perf_counter()

    def stage(self, name: str) -> float:
        """Close a stage that began with the one before; its seconds."""
        now = time.perf_counter()
        self.stages[name] = now - self._last
        self._last = now
        return self.stages[name]

    def write(self, out: Path, displacement: np.ndarray | None = None, stress: np.ndarray | None = None) -> None:
        """Displacement (N, 3) on the nodes of the model, stresses as the peer has them, and the record."""
        if displacement is not None:
            np.save(out / "displacement.npy", displacement)
        if stress is not None:
            np.save(out / "stress.npy", stress)
            self.stage("write")
        (out / "record.json").write_text(json.dumps({**self.facts, "stages": self.stages}))


def matching(theirs: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """(N,) the point of ``theirs`` at each of ``ours``."""
    from scipy.spatial import cKDTree

    distance, place = cKDTree(theirs).query(ours)
    if distance.max() > 1e-6:
        raise SystemExit(f"a node of the model is {distance.max():.2g} mm from the nearest of the peer's")
    return place


def lame(youngs: np.ndarray, poisson: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return youngs * poisson / ((1 + poisson) * (1 - 2 * poisson)), youngs / (2 * (1 + poisson))
