"""What holds the sacrum: its joints, elastic or fixed, and its ligaments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from sacrofem.anatomy.solid import SIDES, Landmarks, Side
from sacrofem.errors import InputError
from sacrofem.mechanics.parts.held import HeldNodes
from sacrofem.mechanics.parts.joint import CALIBRATED_JOINT, ElasticLayer, Joint
from sacrofem.mechanics.parts.ligaments import LIGAMENT_STIFFNESS, attached, ligaments
from sacrofem.mechanics.parts.part import Part
from sacrofem.mechanics.space.space import Space

Supports = tuple[Part, ...]


def elastic_supports(
    space: Space,
    landmarks: Landmarks,
    *,
    joint: Joint = CALIBRATED_JOINT,
    stiffness: Mapping[str, float] = LIGAMENT_STIFFNESS,
    with_ligaments: bool = True,
    free_side: Side | None = None,
) -> Supports:
    """Auricular faces on an elastic layer, with ligaments.

    Parameters
    ----------
    space
    landmarks
    joint
        Constants of layer and ligaments.
    stiffness : mapping of str to float
        Of each ligament in N/mm, without the factor of the joint; those that are left out are as published.
    with_ligaments
        Whether the ligaments are there at all.
    free_side
        The swing side of a one-legged stance: neither its layer nor its ligaments carry anything.

    Raises
    ------
    InputError
        No auricular face is left to hold the sacrum.
    """
    sides = _held_sides(space, free_side)
    of_side = [np.flatnonzero(space.mesh.face_sets[f"auricular_{side}"]) for side in sides]
    faces, owner = np.concatenate(of_side), np.repeat(np.arange(len(sides)), [len(mine) for mine in of_side])
    ones = np.ones(len(faces))
    layer = ElasticLayer(
        faces, joint.normal_stiffness * ones, joint.tangential_stiffness * ones, _joint_names(sides), owner
    )
    if not with_ligaments:
        return (layer,)
    published = [ligament for side in sides for ligament in ligaments(landmarks, side)]
    bands = [replace(band, stiffness=stiffness.get(band.name, band.stiffness)) for band in published]
    return layer, attached(space, bands, joint.ligament_factor)


def fixed_supports(space: Space, *, free_side: Side | None = None) -> Supports:
    """Auricular faces held rigidly, as Whitlow 2007 [T] did; no ligament.

    Raises
    ------
    InputError
        No auricular face is left to hold the sacrum.
    """
    fixed = np.zeros((space.n_nodes, 3), dtype=bool)
    owner = np.zeros(space.n_nodes, dtype=np.int64)
    sides = _held_sides(space, free_side)
    for number, side in enumerate(sides):
        nodes = space.face_nodes[space.mesh.face_sets[f"auricular_{side}"]]
        fixed[nodes], owner[nodes] = True, number
    return (HeldNodes(fixed, _joint_names(sides), owner),)


def _joint_names(sides: list[Side]) -> tuple[str, ...]:
    return tuple(f"joint_{side}" for side in sides)


def _held_sides(space: Space, free_side: Side | None) -> list[Side]:
    sides = [
        side
        for side in SIDES
        if side != free_side and np.any(space.mesh.face_sets.get(f"auricular_{side}", np.zeros(1, dtype=bool)))
    ]
    if not sides:
        raise InputError(
            "no auricular face holds the sacrum",
            field="supports",
            value=None if free_side is None else f"{free_side} side free",
            mend="name faces auricular_left or auricular_right, or free the other side",
        )
    return sides
