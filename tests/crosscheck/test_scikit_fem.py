"""Whole cases with the matrix of the scikit-fem forms beside the compiled one: matrix to 1e-12, every measure to 1e-10.

A value counts against itself, or against 1e-3 of the largest of its unit: a share of the reaction that all but
vanishes has fewer digits than the solve.
"""

import pytest

from sacrofem import Case
from sacrofem.errors import SolverError
from sacrofem.mechanics import forms
from sacrofem.mechanics.measures.catalogue import MEASURES
from sacrofem.mechanics.parts.loads import endplate_faces
from sacrofem.mechanics.space.space import Space
from sacrofem.specimen.compare import compare
from sacrofem.specimen.specimen import Specimen

# An empty gap that rubs has no one answer: which points stick depends on rounding (seen: 6.8e-4 in one measure).
FRICTION = 1e-3
MATRIX, MEASURE, LEAST = 1e-12, 1e-10, 1e-3


def tiny(preset="sif-bilateral", **changes):
    return Case.preset(preset).with_(mesh__reference="tiny", **changes)


def same_measures(agree, name, case, *, intact=True, limit=MEASURE):
    """Solve a case by both."""
    gathered, formed = (compare(case.with_(solver__assembly=how), intact=intact) for how in ("gather", "scikit-fem"))
    for state in ("intact", "before", "after") if intact else ("before", "after"):
        ours, theirs = ({k: v for k, v in getattr(c, state).items() if v is not None} for c in (gathered, formed))
        assert list(ours) == list(theirs)
        largest = {}
        for key, value in ours.items():
            unit = MEASURES[key].unit
            largest[unit] = max(largest.get(unit, 0.0), abs(value))
        sizes = {key: max(abs(value), LEAST * largest[MEASURES[key].unit]) or 1.0 for key, value in ours.items()}
        pairs = zip(*((ours[key] / size, theirs[key] / size) for key, size in sizes.items()), strict=True)
        agree(f"{name}, {state}", f"{len(ours)} measures over their size", *pairs, limit, scale=1.0)


def test_linear_displacements(agree):
    same_measures(agree, "tiny-bilateral, P1", tiny(mesh__order=1))


def test_what_the_forms_say_is_what_is_solved(monkeypatch):
    """Twice the stiffness of the joint in the forms, and the joint does not bear the load that it would have to."""
    right = forms.joint_stiffness
    monkeypatch.setattr(forms, "joint_stiffness", lambda *given: 2.0 * right(*given))
    with pytest.raises(SolverError, match="force is out of balance"):
        Specimen(tiny(mesh__order=1, solver__assembly="scikit-fem")).solve()


@pytest.mark.slow
def test_default_case(agree):
    case = tiny()
    specimen = Specimen(case)
    recipe = specimen.recipe(specimen.plan())
    for space in (specimen.space, Space(specimen.mesh, 1)):
        ours, theirs = (
            forms.assembler(space, specimen.parts, how).matrix(recipe.bone, recipe.gap)
            for how in ("gather", "scikit-fem")
        )
        assert ours.indices.tolist() == theirs.indices.tolist()
        agree(f"tiny-bilateral, P{space.order}", "matrix, N/mm", ours.data, theirs.data, MATRIX)
    load = forms.load_vector(specimen.space, endplate_faces(specimen.space), specimen.loading.resultant)
    agree("tiny-bilateral, P2", "nodal forces, N", specimen.loading.force, load, MATRIX)
    same_measures(agree, "tiny-bilateral, P2", case)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "changes"),
    [
        ("sif-bilateral", {"fracture__closure": "contact"}),
        ("sif-unilateral", {"fracture__state": "fresh"}),
        ("sif-bilateral", {"cement__in_gap": "contact"}),
        ("sif-unilateral", {"supports__kind": "fixed", "supports__ligaments": False}),
        ("hemisacrum-one-legged", {}),
        ("lytic-focal", {}),
    ],
)
def test_any_case(agree, preset, changes):
    """On linear displacements: contact, fixed joints, half a sacrum, a lesion without a fracture."""
    name = " ".join([preset, *map(str, changes.values())])
    limit = FRICTION if "fracture__state" in changes else MEASURE
    same_measures(agree, name, tiny(preset, mesh__order=1, **changes), intact=preset != "lytic-focal", limit=limit)


@pytest.mark.slow
def test_plans_of_a_sweep_are_solved_by_the_forms_too(agree):
    case = tiny(mesh__order=1, cement__volume_ml=2.0)
    (ours,), (theirs,) = (
        list(specimen.sweep([specimen.case.cement]))
        for specimen in (Specimen(case.with_(solver__assembly=how)) for how in ("gather", "scikit-fem"))
    )
    for key in ("micromotion_mean_um", "fracture_von_mises_p95_mpa", "strain_energy_nmm"):
        agree("a plan of a sweep, P1", key, ours.after[key], theirs.after[key], MEASURE)
