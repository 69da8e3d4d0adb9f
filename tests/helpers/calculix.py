"""CalculiX run on a deck of ours, and what it printed read back in our order."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from sacrofem.mechanics.decks.calculix import write_calculix
from sacrofem.mechanics.equilibrium.state import State
from sacrofem.mechanics.measures.measures import measure
from sacrofem.mechanics.parts.part import total_fixed, triad
from sacrofem.mechanics.parts.reactions import reactions
from sacrofem.mechanics.space.principal import principal_values
from sacrofem.mechanics.space.space import Space

# xx yy zz xy xz yz as CalculiX prints them, to xx yy zz yz xz xy.
_VOIGT = [0, 1, 2, 5, 4, 3]

MEASURES = "sacrofem.mechanics.measures.measures"


def ccx() -> str:
    """The program; skips where it is missing, fails where SACROFEM_REQUIRE asks for ccx."""
    program = shutil.which("ccx")
    if program is None:
        reason = "no ccx on the path (Debian: calculix-ccx)"
        if "ccx" in os.environ.get("SACROFEM_REQUIRE", ""):
            pytest.fail(reason)
        pytest.skip(reason)
    return program


@dataclass(frozen=True, eq=False)
class Answer:
    """What CalculiX found, in our numbering: the .dat file has 7 digits, the .frd file 6.

    ``springs`` are b·u by the part of the model, (r, d), as `sacrofem.mechanics.decks.calculix.Springs` has them,
    ``spring_force`` (3,) what each part puts on the bone.
    """

    displacement: np.ndarray
    displacement_frd: np.ndarray
    stress: np.ndarray
    bone_energy: float
    spring_energy: float
    reaction: np.ndarray
    spring_force: dict
    springs: dict
    deck: object

    @property
    def energy(self):
        return self.bone_energy + self.spring_energy


def solve(folder: Path, space, bone, parts, **options) -> Answer:
    """Write the deck into a folder, run it, read everything."""
    program = ccx()
    deck = write_calculix(folder / "job.inp", space, bone, parts, printed=True, **options)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CCX_NPROC_EQUATION_SOLVER": "1"}
    run = subprocess.run(
        [program, "-i", "job"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert "Job finished" in run.stdout, run.stdout[-3000:] + run.stderr[-1000:]
    tables = _dat(folder / "job.dat")
    auxiliary = {name: tables["displacements", name.upper()][:, 1:] for name in deck.springs}
    springs, energy = {}, 0.0
    for name, part in deck.springs.items():
        scaled = auxiliary[name][:, : part.stiffness.shape[2]]
        energy += 0.5 * float((scaled**2).sum())
        with np.errstate(invalid="ignore", divide="ignore"):
            springs[name] = scaled / np.sqrt(part.stiffness).reshape(scaled.shape)
    bone = tables["displacements", "BONE"]
    number = np.empty(int(bone[:, 0].max()) + 1, np.int64)
    number[bone[:, 0].astype(int)] = np.arange(len(bone))
    rows = number[deck.node]
    return Answer(
        bone[rows, 1:],
        _frd_displacement(folder / "job.frd", deck.node),
        _stress(space, tables),
        float(tables["internal energy", "BONE"][:, 1].sum()),
        energy,
        _reactions(space, parts, tables, deck, auxiliary),
        {name: _spring_forces(space, part, auxiliary[name]).sum(axis=0) for name, part in deck.springs.items()},
        springs,
        deck,
    )


# ------------------------------------------------------------------ specimens
def solve_state(folder: Path, specimen, recipe) -> Answer:
    """A state of a specimen."""
    return solve(
        folder,
        specimen.space,
        recipe.bone,
        specimen.parts if recipe.gap is None else (*specimen.parts, recipe.gap),
        tie=recipe.gap is None and bool(recipe.coverage.size),
    )


def measured(specimen, recipe, answer: Answer, zones):
    """Our measures of the displacement, jump, stress, strain of the cortex and energy that CalculiX printed."""
    cortex = specimen.bone.cortex
    state = State(
        recipe.name, answer.displacement, recipe.bone, None, recipe.fraction, recipe.coverage, cortex,
        specimen.loading.force,
    )  # fmt: skip
    with (
        patch("sacrofem.mechanics.measures.measures.membrane_stresses", partial(_cortex_stresses, cortex, answer)),
        patch(
            "sacrofem.mechanics.measures.measures.principal_strains", lambda space, _: space.printed_principal_strains()
        ),
    ):
        values = measure(
            _Printed(specimen.space, answer, recipe.bone),
            state,
            zones,
            resultant=specimen.loading.resultant,
            reactions=reactions(specimen.space, specimen.supports, answer.displacement, answer.reaction),
            aperture_mm=specimen.gap_law.aperture_mm,
        ).values
    return {**values, "strain_energy_nmm": answer.energy}


def _cortex_stresses(membrane, answer, space, faces, displacement, youngs, poisson):
    """As `membrane_stresses`, of the strains (ε₁₁ ± ε₂₂)/√2 and γ₁₂ at the auxiliary nodes of the cortex."""
    areas = space.mesh.face_areas[faces][:, None] * space.membrane_rule[1]
    number = np.full(len(space.mesh.faces), -1)
    number[membrane.faces] = np.arange(len(membrane.faces))
    mean, difference, shear = np.moveaxis(answer.springs["cortex"].reshape(-1, areas.shape[1], 3)[number[faces]], 2, 0)
    s11, s22 = ((mean / (1 - poisson) + sign * difference / (1 + poisson)) / np.sqrt(2) for sign in (1, -1))
    return youngs[:, None, None] * np.stack([s11, s22, shear / (2 * (1 + poisson))], axis=2), areas


class _Printed(Space):
    """Strain and jump as CalculiX printed them: differences of its 7-digit displacements would have fewer digits."""

    def __init__(self, space, answer, bone):
        self.__dict__.update(vars(space))
        self._answer, self._bone = answer, bone

    def printed_principal_strains(self):
        stress = self._answer.stress
        youngs, poisson = self._bone.youngs[:, None, None], self._bone.poisson[:, None, None]
        strain = (1 + poisson) / youngs * stress
        strain[..., :3] -= poisson / youngs * stress[..., :3].sum(axis=2, keepdims=True)
        return principal_values(strain.reshape(-1, 6))

    def jump(self, displacement):
        if "gap" not in self._answer.springs:
            return super().jump(displacement)
        along = self._answer.springs["gap"].reshape(*self.gap.areas.shape, 3)
        return np.einsum("pqd,pdx->pqx", along, triad(self.gap.normals))


# ------------------------------------------------------------------ reading
def _spring_forces(space, part, auxiliary):
    """(N, 3) nodal forces of the springs of one part on the bone."""
    root = np.sqrt(part.stiffness).reshape(-1, part.stiffness.shape[2])
    return -(part.rows(space.n_nodes).T @ (root * auxiliary[:, : root.shape[1]]).ravel()).reshape(-1, 3)


def _reactions(space, parts, tables, deck, auxiliary):
    """(N, 3) forces of fixed nodes on the bone.

    CalculiX's RF has the bone alone: forces that its own equations put on fixed nodes are missing there.
    """
    if ("forces", "FIXED") not in tables:
        return np.zeros((space.n_nodes, 3))
    held = tables["forces", "FIXED"]
    found = np.zeros((int(deck.node.max()) + 1, 3))
    found[held[:, 0].astype(int)] = held[:, 1:]
    for name, part in deck.springs.items():
        np.subtract.at(found, deck.node, _spring_forces(space, part, auxiliary[name]))
    return np.where(total_fixed(parts, space), found[deck.node], 0.0)


def _dat(path: Path):
    """Tables by what they hold and for which set."""
    text = path.read_text()
    titles = list(re.finditer(r"^ ([a-z][a-z ]+?) \(.*for set (\w+) and time.*$", text, re.MULTILINE))
    tables = {}
    for title, end in zip(titles, [*(t.start() for t in titles[1:]), len(text)], strict=True):
        rows = text[title.end() : end].split("\n")
        tables[title.groups()] = np.array([row.split() for row in rows if row.strip()], dtype=float)
    return tables


def _stress(space, tables):
    """(m, q, 6) at our integration points: CalculiX numbers them otherwise, so they are found by their place."""
    points, _ = space.integration()
    m, q = points.shape[:2]
    where = tables["global coordinates", "BONE"]
    stress = tables["stresses", "BONE"]
    assert np.array_equal(where[:, :2], stress[:, :2])
    where, stress = where[:, 2:5].reshape(m, q, 3), stress[:, 2:8].reshape(m, q, 6)
    away = np.linalg.norm(points[:, :, None] - where[:, None], axis=3)
    nearest = away.argmin(axis=2)
    assert (np.sort(nearest, axis=1) == np.arange(q)).all()
    assert away.min(axis=2).max() < 1e-4
    return np.take_along_axis(stress, nearest[..., None], axis=1)[..., _VOIGT]


def _frd_displacement(path: Path, node):
    """(N, 3) from the fixed columns of the DISP block."""
    lines = path.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(" -4  DISP"))
    values = np.zeros((int(node.max()) + 1, 3))
    for line in lines[start:]:
        if line.startswith(" -3"):
            break
        if line.startswith(" -1"):
            n = int(line[3:13])
            if n < len(values):
                values[n] = [float(line[13 + 12 * i : 25 + 12 * i]) for i in range(3)]
    return values[node]
