"""Measuring zones in one call."""

from sacrofem.mechanics.measures.zones import ZoneFinder


def build_zones(space, *, plan=None, **given):
    """The zones of a space with the cement of a plan (`ReferencePlan`) left out."""
    return ZoneFinder(space, **given).zones(plan)
