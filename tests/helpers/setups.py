"""Specimens with parts put in place of their own, solved and compared as whole ones are."""

from dataclasses import fields

from sacrofem.specimen.comparison import Comparison, comparison_of
from sacrofem.specimen.plan import Plan
from sacrofem.specimen.recipe import Recipe
from sacrofem.specimen.setup import Setup
from sacrofem.specimen.solution import Solution


def with_parts(specimen: Setup, **parts) -> Setup:
    """The specimen with other parts, under the names of `Setup`."""
    return Setup(**({part.name: getattr(specimen, part.name) for part in fields(Setup)} | parts))


def solved(setup: Setup, plan: Plan | None = None, recipe: Recipe | None = None) -> Solution:
    """One linear state; a recipe stands in place of the setup's own."""
    recipe = recipe or setup.recipe(plan)
    found = setup.statics.solve(
        recipe.name, recipe.bone, recipe.gap, fraction=recipe.fraction, coverage=recipe.coverage
    )
    return Solution(setup, plan, found)


def compared(setup: Setup, plan: Plan) -> Comparison:
    """Before and after a plan."""
    return comparison_of(solved(setup), solved(setup, plan))
