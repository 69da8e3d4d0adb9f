"""Equilibrium with contact: semismooth Newton over the closed set, augmented, under a staged load.

An iteration linearises the law of `sacrofem.mechanics.parts.contact` at every point, open, sticking or
slipping (a primal-dual active set: Hintermüller, Ito & Kunisch 2003), solves
with the symmetric matrix that results, and goes along the correction as far as the potential falls.
With the limit of friction held, that potential is convex, so the search cannot cycle; what remains is
the fixed point in μ p. Once forces balance, pressure and friction become multipliers; it ends when
neither forces nor multipliers move. The steps of the load are fixed beforehand and never adapted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter

import numpy as np

from sacrofem.errors import SolverError
from sacrofem.mechanics.equilibrium.linearised import Linearised
from sacrofem.mechanics.linear.settings import DEFAULT_SETTINGS, SolverSettings
from sacrofem.mechanics.linear.solver import LARGEST_RESIDUAL, LinearSolution
from sacrofem.mechanics.parts.contact import (
    Contact,
    ContactState,
    ContactStep,
    Multipliers,
    Tractions,
    contact_force,
    contact_points,
    split_jump,
    stiffened,
    tangents,
    tractions,
)
from sacrofem.mechanics.space.blocks import BlockMatrix
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import BoolArray, FloatArray

LOAD_STEPS = 4
"""Equal parts in which the load is applied: friction depends on the way, and no case needs more to converge."""
MAX_ITERATIONS = 400
# The penalty begins softer, or the closed set would change point by point, and hardens with each augmentation.
SOFT, HARDENING = 1e-2, 10.0
# Part of the imbalance that is left when the limit of friction and the multipliers are renewed.
BALANCE = 0.1
# Where the limit of friction is off by more than this part of what it was off last time, it goes half of the way.
SWINGING = 0.3
# Relative residual of one correction: the next one starts from the true residual anyway.
CORRECTION_TOLERANCE = LARGEST_RESIDUAL
ACCURACY = 5e-5
"""Penetration, and slip of points that stick, over the largest displacement."""
# How far friction may be from μ p, over all of it, in units of the accuracy.
FRICTION = 20.0


class _Loading:
    """The state of the iteration while the load grows."""

    def __init__(
        self,
        matrices: Linearised,
        force: FloatArray,
        prescribed: FloatArray | None,
        tolerance: float,
        accuracy: float,
    ) -> None:
        self.matrices, self.space, self.contact = matrices, matrices.space, matrices.contact
        self.force, self.tolerance, self.accuracy = force, tolerance, accuracy
        self.prescribed = np.zeros_like(force)
        if prescribed is not None:
            self.prescribed[matrices.fixed] = prescribed[matrices.fixed]
        self.u = np.zeros_like(force)
        points = self.contact.clearance.shape
        self.held = Multipliers(np.zeros(points), np.zeros((*points, 3)), np.zeros((*points, 3)))
        moved = self._free(matrices.matrix.dot(self.prescribed)) if self.prescribed.any() else self.prescribed
        self.scale = float(np.linalg.norm(self._free(force)) + np.linalg.norm(moved))
        self.bound, self.hardness, self.raised = np.zeros(points), 0.0, True
        self.off = np.inf
        self.at = self._law(self.u)

    def _free(self, nodal: FloatArray) -> FloatArray:
        return np.where(self.matrices.fixed, 0.0, nodal)

    def jump(self, u: FloatArray) -> FloatArray:
        return np.tile(self.space.jump(u), (1, self.contact.layers(self.space), 1))

    def _law(self, u: FloatArray) -> Tractions:
        return tractions(self.contact, self.jump(u), self.space.gap.normals, self.held, self.bound)

    def unbalanced(self, share: float, at: Tractions) -> FloatArray:
        """(N, 3) force that nothing balances yet, N."""
        load = share * self.force + contact_force(self.space, at.pressure, at.friction)
        return self._free(load - self.matrices.matrix.dot(self.u))

    # -------------------------------------------------------------- one step of the load
    def begin(self, share: float, previous: float, start: FloatArray | None) -> None:
        """Displacement and pressure in proportion to the load; slip counts from where the last step ended."""
        if previous:
            # Faces that have yet to meet do so where bone and cement let them, not in proportion to the load.
            ratio = (
                1.0 if (np.isfinite(self.contact.clearance) & (self.contact.clearance > 0)).any() else share / previous
            )
            rigid = self.contact.rigid[:, None]
            self.held = Multipliers(
                ratio * self.held.pressure,
                np.where(rigid, ratio, 1.0) * self.held.friction,
                split_jump(self.jump(self.u), self.space.gap.normals)[1],
            )
            self.u = ratio * self.u
            return
        self.u = np.where(self.matrices.fixed, share * self.prescribed, 0.0 if start is None else share * start)
        if start is None:
            self._guess(share, np.zeros(self.contact.clearance.shape, bool))
        opening, _ = split_jump(self.jump(self.u), self.space.gap.normals)
        overlapping = self.contact.clearance + opening < 0.0
        if overlapping.any():
            self._guess(share, overlapping)

    def _guess(self, share: float, closed: BoolArray) -> None:
        """Solve with these points closed and sticking: from there slip is found in few iterations."""
        self._renew(0)
        contact, normals = self.contact, self.space.gap.normals
        opening, tangential = split_jump(self.jump(self.u), normals)
        pressure = np.where(closed, -contact.normal * np.where(closed, contact.clearance + opening, 0.0), 0.0)
        sticks = closed & (contact.friction > 0.0)
        friction = np.where(sticks[..., None], -contact.tangential[..., None] * tangential, 0.0)
        guess = replace(
            self._law(self.u), pressure=pressure, friction=friction, closed=closed,
            slipping=np.zeros_like(closed), reduction=sticks.astype(float),
        )  # fmt: skip
        self.matrices.linearise(tangents(contact, normals, guess))
        self.u = self.u + self.matrices.correction(self.unbalanced(share, guess))

    def advance(self, share: float, number: int, steps: int) -> ContactStep:
        """Iterate until forces balance and neither penetration nor slip of sticking points is left."""
        augmentations, last, before, wanted, swaps, residual = 0, None, np.inf, 0.0, 0, np.inf
        self._renew(0)
        for iteration in range(MAX_ITERATIONS):
            self.at = at = self._law(self.u)
            right = self.unbalanced(share, at)
            residual = self._relative(right)
            if not np.isfinite(residual):
                break
            if last is None:
                wanted = BALANCE * residual
            # Rounding sets a floor, as in a linear solve.
            floor = residual <= LARGEST_RESIDUAL and residual > 0.3 * before
            if residual <= max(wanted, self.tolerance) or floor:
                if self._settled(at):
                    if residual <= self.tolerance or floor:
                        return self._record(share, iteration, augmentations)
                    wanted = 0.0
                else:
                    self._augment(at)
                    augmentations += 1
                    self._renew(augmentations)
                    self.at = at = self._law(self.u)
                    right = self.unbalanced(share, at)
                    residual = self._relative(right)
                    wanted = BALANCE * residual
            status = at.closed + 1 * (at.closed & at.slipping)
            swaps = -1 if last is None else int((status != last).sum())
            if swaps or self.raised or residual > 0.3 * before:
                self.matrices.linearise(tangents(self.contact, self.space.gap.normals, at))
                self.raised = False
            way = self.matrices.correction(right)
            self.u = self.u + self._step(share, at, way, right, residual)
            last, before = status, residual
        raise SolverError(self._cause(number, steps, swaps, residual))

    def _renew(self, augmentations: int) -> None:
        """Penalty of this augmentation, and the limit of friction that follows from pressure."""
        # Long before that many it is as hard as it gets; a power of hundreds overflows.
        share = min(SOFT * HARDENING ** min(augmentations, 50), 1.0)
        rigid = self.matrices.contact.rigid
        self.raised = share != self.hardness
        self.hardness = share
        self.contact = replace(
            self.matrices.contact,
            normal=self.matrices.contact.normal * np.where(rigid, share, 1.0),
            tangential=self.matrices.contact.tangential * np.where(rigid, share, 1.0),
        )
        wanted = self.contact.friction * self._law(self.u).pressure
        off = float(np.linalg.norm(wanted - self.bound))
        # Beside a corner that touches, pressure follows its own friction so closely that the limit would swing.
        relaxed = augmentations > 2 and off > SWINGING * self.off
        self.bound = self.bound + (0.5 if relaxed else 1.0) * (wanted - self.bound)
        self.off = off

    def residual(self, share: float) -> float:
        """Of what the last step ended with, relative."""
        return self._relative(self.unbalanced(share, self.at))

    def _relative(self, unbalanced: FloatArray) -> float:
        return float(np.linalg.norm(unbalanced)) / self.scale if self.scale else 0.0

    def _settled(self, at: Tractions) -> bool:
        """Whether the law holds: faces neither overlap nor pull, sticking points rest, friction is μ p."""
        rigid = self.contact.rigid & np.isfinite(at.gap)
        apart = np.abs(at.pressure - self.held.pressure) / np.where(rigid, self.contact.normal, 1.0)
        slid = np.linalg.norm(at.friction - self.held.friction, axis=2) / np.where(rigid, self.contact.tangential, 1.0)
        length = max((apart * rigid).max(initial=0.0), (slid * rigid).max(initial=0.0))
        limit = self.contact.friction * at.pressure
        areas = contact_points(self.space, limit.shape[1])[1]
        off = float(np.sum(areas * np.abs(limit - self.bound)))
        whole = float(np.sum(areas * limit))
        return bool(length <= self.accuracy * np.abs(self.u).max() and off <= FRICTION * self.accuracy * whole)

    def _augment(self, at: Tractions) -> None:
        """Pressure and friction become multipliers."""
        rigid = self.contact.rigid
        self.held = replace(
            self.held,
            pressure=np.where(rigid, at.pressure, self.held.pressure),
            friction=np.where(rigid[:, None], at.friction, self.held.friction),
        )

    def _step(self, share: float, at: Tractions, way: FloatArray, right: FloatArray, residual: float) -> FloatArray:
        """All of a correction if it brings the forces nearer to balance, else what lowers the potential."""
        here, self.u = self.u, self.u + way
        full = self._relative(self.unbalanced(share, self._law(self.u)))
        self.u = here
        return way if full <= residual else self._search(at, way, right)

    def _search(self, at: Tractions, way: FloatArray, right: FloatArray) -> FloatArray:
        """The part of a correction at whose end the potential, its limit of friction held, falls no further."""
        _, areas = contact_points(self.space, self.contact.clearance.shape[1])
        normals = self.space.gap.normals
        here, step = self.jump(self.u), self.jump(way)
        opening, tangential = split_jump(step, normals)
        stiff = float(np.sum(way * self.matrices.matrix.dot(way)))
        still = float(np.sum(way * right)) + self.power(at, areas, opening, tangential) * -1.0

        def slope(t: float) -> float:
            there = tractions(self.contact, here + t * step, normals, self.held, self.bound)
            return t * stiff - still - self.power(there, areas, opening, tangential)

        first = slope(0.0)
        low, high = (0.0, first), (1.0, slope(1.0))
        if not first < 0.0 or abs(high[1]) <= 0.1 * abs(first):
            return way
        while high[1] < 0.0:
            if high[0] > 100.0:
                return high[0] * way
            low, high = high, (2.0 * high[0], slope(2.0 * high[0]))
        for _ in range(30):
            t = (low[0] * high[1] - high[0] * low[1]) / (high[1] - low[1])
            t = min(max(t, low[0] + 0.1 * (high[0] - low[0])), high[0] - 0.1 * (high[0] - low[0]))
            value = slope(t)
            if abs(value) <= 0.01 * abs(first):
                break
            low, high = ((t, value), high) if value < 0.0 else (low, (t, value))
        return t * way

    @staticmethod
    def power(at: Tractions, areas: FloatArray, opening: FloatArray, tangential: FloatArray) -> float:
        along = at.pressure * opening + np.einsum("psx,psx->ps", at.friction, tangential)
        return float(np.sum(areas * along))

    def _record(self, share: float, iterations: int, augmentations: int) -> ContactStep:
        closed, slips = self.at.closed, self.at.closed & self.at.slipping
        counts = int((~closed & np.isfinite(self.at.gap)).sum()), int((closed & ~slips).sum()), int(slips.sum())
        return ContactStep(share, iterations, augmentations, *counts)

    def _cause(self, number: int, steps: int, swaps: int, residual: float) -> str:
        where = f"contact, load step {number} of {steps}"
        size = float(np.ptp(self.space.nodes, axis=0).max())
        if not np.isfinite(self.u).all() or np.abs(self.u).max() > size:
            return (
                f"{where}: a piece of bone drifts away, only contact held it and the load pulls it off; "
                "fill the gap (fracture.filler), or keep the ligaments"
            )
        friction = f"friction = {self.contact.friction:g}"
        if swaps:
            return (
                f"{where}: {swaps} of {self.at.closed.size} points still change between open, stick and slip after "
                f"{MAX_ITERATIONS} iterations: contact cycles ({friction}); "
                "lower fracture.friction or refine the fracture"
            )
        return (
            f"{where}: forces are out of balance by {residual:.1e} after {MAX_ITERATIONS} iterations ({friction}): "
            "friction and pressure do not settle; lower fracture.friction or refine the fracture"
        )


def solve_contact(
    space: Space,
    matrix: BlockMatrix,
    fixed: BoolArray,
    contact: Contact,
    force: FloatArray,
    *,
    prescribed: FloatArray | None = None,
    start: FloatArray | None = None,
    coarse: Callable[[], BlockMatrix] | None = None,
    settings: SolverSettings = DEFAULT_SETTINGS,
    accuracy: float = ACCURACY,
    steps: int = LOAD_STEPS,
) -> tuple[LinearSolution, ContactState]:
    """Equilibrium with contact in the gap.

    Parameters
    ----------
    space : Space
        On a split mesh.
    matrix : BlockMatrix
        Everything but contact, without constraints.
    fixed : (N, 3) bool
        Displacements that are prescribed.
    contact : Contact
    force : (N, 3)
        Nodal forces of the whole load, N.
    prescribed : (N, 3), optional
        Values where fixed, under the whole load, mm.
    start : (N, 3), optional
        Displacement under the whole load that the first step starts from, such as the bonded one.
    coarse : callable, optional
        Gives the P1 matrix of the same model without contact, for multigrid on P2.
    settings
        Of the solver; its tolerance is the relative residual of contact.
    accuracy
        Penetration, and slip of points that stick, over the largest displacement.
    steps
        Equal parts in which the load is applied.

    Returns
    -------
    solution : LinearSolution
        Its iterations are those of conjugate gradients in all linear solves.
    state : ContactState

    Raises
    ------
    SolverError
        Contact cycles, or a piece of bone drifts away.
    EnvironmentFailure
        A correction does not fit into the memory.
    """
    began = perf_counter()
    contact = stiffened(space, matrix, contact)
    corrections = replace(settings, tolerance=CORRECTION_TOLERANCE)
    matrices = Linearised(space, matrix, fixed, contact, coarse, corrections)
    loading = _Loading(matrices, force, prescribed, settings.tolerance, accuracy)
    record: list[ContactStep] = []
    nodal, rubbed, external, dissipated = np.zeros_like(force), np.zeros(1), 0.0, 0.0
    for number in range(1, steps + 1):
        share, previous, u = number / steps, (number - 1) / steps, loading.u
        loading.begin(share, previous, start)
        record.append(loading.advance(share, number, steps))
        at = loading.at
        now = matrix.dot(loading.u) - contact_force(space, at.pressure, at.friction)
        external += 0.5 * float(np.sum((nodal + now) * (loading.u - u)))
        dissipated += _dissipated(contact, at, rubbed, contact_points(space, contact.clearance.shape[1])[1])
        nodal, rubbed = now, at.friction
    residual = loading.residual(1.0)
    solution = LinearSolution(loading.u, matrices.name, matrices.solves, residual, perf_counter() - began)
    return solution, _final(loading, matrix, external, dissipated, tuple(record))


def _dissipated(contact: Contact, at: Tractions, before: FloatArray, areas: FloatArray) -> float:
    """Mean friction of a step times its plastic slip, which is what the tangential stiffness was cut off by."""
    cut = 1.0 / np.where(at.reduction > 0.0, at.reduction, 1.0) - 1.0
    slip = cut[..., None] * at.friction / np.where(contact.tangential > 0.0, contact.tangential, 1.0)[..., None]
    return float(np.sum(areas[..., None] * 0.5 * (before + at.friction) * slip))


def _final(
    loading: _Loading, matrix: BlockMatrix, external: float, dissipated: float, steps: tuple[ContactStep, ...]
) -> ContactState:
    contact, at, u = loading.contact, loading.at, loading.u
    areas = contact_points(loading.space, contact.clearance.shape[1])[1]
    layer = np.zeros_like(areas)
    soft = ~contact.rigid & (contact.normal > 0)
    friction = np.einsum("psx,psx->ps", at.friction, at.friction)
    layer[soft] = at.pressure[soft] ** 2 / contact.normal[soft] + friction[soft] / contact.tangential[soft]
    stored = 0.5 * float(np.sum(u * matrix.dot(u)) + np.sum(areas * layer))
    opening, tangential = split_jump(loading.jump(u), loading.space.gap.normals)
    taken = -loading.power(at, areas, opening, tangential)
    overlap = np.where(contact.rigid & np.isfinite(at.gap), -at.gap, 0.0)
    return ContactState(
        at.pressure, at.friction, at.closed, at.closed & at.slipping, areas, contact.rigid,
        max(float(overlap.max(initial=0.0)), 0.0), external, stored, dissipated, taken, steps,
    )  # fmt: skip
