"""Places of the scenarios of a sampled design between the ends of its factors."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from sacrofem.errors import EnvironmentFailure
from sacrofem.study.studyfile import Design


def shares(design: Design, count: int) -> NDArray[np.float64]:
    """(n, count) places of the scenarios of a sampled design between the ends of its factors.

    Raises
    ------
    EnvironmentFailure
        A design of sensitivity without SALib.
    """
    if design.kind == "sobol":
        # Balanced only in powers of two: the first so many of a whole sequence.
        power = max(1, int(np.ceil(np.log2(design.samples))))
        return np.asarray(qmc.Sobol(count, scramble=True, rng=design.seed).random_base2(power)[: design.samples])
    if design.kind == "latin-hypercube":
        return np.asarray(qmc.LatinHypercube(count, rng=design.seed).random(design.samples))
    return samples(design, count)


def salib(name: str) -> Any:
    """A module of SALib.

    Raises
    ------
    EnvironmentFailure
        It is not installed.
    """
    try:
        return import_module(f"SALib.{name}")
    except ImportError as error:
        raise EnvironmentFailure("a study of sensitivity needs SALib: pip install 'sacrofem[study]'") from error


def salib_problem(names: Sequence[str]) -> dict[str, Any]:
    """Factors between 0 and 1 in SALib's words."""
    return {"num_vars": len(names), "names": list(names), "bounds": [[0.0, 1.0]] * len(names)}


def samples(design: Design, count: int) -> NDArray[np.float64]:
    """Places of the scenarios of a design of `KINDS` between the ends of its factors.

    Parameters
    ----------
    design
        Its ``samples`` are trajectories of Morris, or base samples of Saltelli's scheme.
    count
        Number of factors k.

    Returns
    -------
    (n, k) array in [0, 1]
        n is samples (k + 1) for Morris, samples (k + 2) for Sobol' indices, samples (2 k + 2) with the second order.

    Raises
    ------
    EnvironmentFailure
        SALib is not installed.
    """
    problem = salib_problem([str(k) for k in range(count)])
    if design.kind == "morris":
        sample = salib("sample.morris").sample
        return np.asarray(sample(problem, design.samples, num_levels=design.levels, seed=design.seed))
    sample = salib("sample.sobol").sample
    return np.asarray(sample(problem, design.samples, calc_second_order=design.second_order, seed=design.seed))
