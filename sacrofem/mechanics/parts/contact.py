"""Unilateral contact with Coulomb friction at the integration points of the gap.

With g = clearance + [u]·n the distance of the faces, p the pressure between them, s the tangential
jump and τ the friction on side +1:

    g >= 0,  p >= 0,  p g = 0                                     (Signorini)
    |τ| <= μ p,  slip only where |τ| = μ p, and against τ         (Coulomb, over a load step)

Faces that touch are rigid to one another: the law is the limit of p = max(0, λ - k g) and
τ = λ_t - k (s - s₀), cut off at μ p, when λ and λ_t take the values of p and τ again and again
(augmented Lagrangian: Simo & Laursen 1992; Alart & Curnier 1991). Cement that
touches without adhering is the same law with λ = 0 and its own stiffness: a layer under pressure.

It is decided at integration points and never at nodes: an even pressure gives the corners of a P2
face no force at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.interface import Filler, GapStiffness, constriction_compliance, gap_stiffness
from sacrofem.mechanics.space.blocks import BlockMatrix
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import BoolArray, FloatArray

# Stiffness with which a point of a rigid pair holds over that of the nodes beside it. Each augmentation shrinks the
# penetration about that many times; from E/h of the bone alone it would be far too soft where cortex ends at the gap.
PENALTY = 3.0
# Share of E/h that holds open faces of an unfilled gap in the matrix of an iteration; the residual knows nothing of it.
DAMPING = 1e-3


@dataclass(frozen=True, eq=False)
class Contact:
    """What may touch in the gap, at s points a pair: those of the gap, once for each of its layers.

    Attributes
    ----------
    clearance : (p, s)
        Distance in mm by which the faces approach before they touch; inf where they cannot.
    normal, tangential : (p, s)
        Stiffness in N/mm³ of what touches.
    rigid : (s,) bool
        Whether that is only the penalty of a rigid law, for `stiffened` to raise.
    damping : (p, s)
        Stiffness in N/mm³ that only the matrix of an iteration sees.
    friction : float
        Coulomb's μ.
    """

    clearance: FloatArray
    normal: FloatArray
    tangential: FloatArray
    rigid: BoolArray
    damping: FloatArray
    friction: float

    def layers(self, space: Space) -> int:
        """How often the points of the gap are repeated."""
        return len(self.rigid) // len(space.gap.barycentric)


def face_closure(
    space: Space,
    bone: Elasticity,
    coverage: FloatArray,
    aperture_mm: FloatArray | float,
    filler: GapStiffness,
    friction: float,
) -> Contact:
    """Bone on bone: rigid, wherever cement does not cover the gap entirely.

    Parameters
    ----------
    space
    bone
        Cement included.
    coverage : (p, q)
        Share of the gap that cement fills at the gap points.
    aperture_mm : float or (p,)
        Distance of the faces in the unloaded state.
    filler
        What lies in the gap.
    friction
        Coulomb's μ.
    """
    plus, minus = space.mesh.paired
    owners, area = space.mesh.face_owners, space.gap.areas.sum(axis=1)
    softness = 0.5 / bone.youngs[owners[plus]] + 0.5 / bone.youngs[owners[minus]]
    penalty = np.broadcast_to((1.0 / (softness * np.sqrt(2.0 * area)))[:, None], coverage.shape)
    aperture = np.broadcast_to(np.asarray(aperture_mm, float), (len(area),))[:, None]
    return Contact(
        clearance=np.where(coverage < 1.0 - 1e-9, aperture, np.inf),
        normal=penalty,
        tangential=penalty,
        rigid=np.ones(coverage.shape[1], bool),
        damping=np.where(filler.normal < DAMPING * penalty, DAMPING * penalty, 0.0),
        friction=friction,
    )


def stiffened(space: Space, matrix: BlockMatrix, contact: Contact) -> Contact:
    """Rigid pairs with a penalty far above the stiffness of the nodes beside them, cortex and all."""
    rows = np.repeat(np.arange(matrix.n_nodes), np.diff(matrix.indptr))
    diagonal = np.zeros(matrix.n_nodes)
    own = rows == matrix.indices
    diagonal[rows[own]] = np.trace(matrix.data[own], axis1=1, axis2=2) / 3.0
    plus, minus = space.mesh.paired
    nodes = np.minimum(diagonal[space.face_nodes[plus]], diagonal[space.face_nodes[minus]]).max(axis=1)
    _, areas = contact_points(space, contact.clearance.shape[1])
    penalty = np.maximum(contact.normal, PENALTY * nodes[:, None] / areas.mean(axis=1, keepdims=True))
    return replace(
        contact,
        normal=np.where(contact.rigid, penalty, contact.normal),
        tangential=np.where(contact.rigid, penalty, contact.tangential),
    )


def cement_contact(
    space: Space,
    bone: Elasticity,
    coverage: FloatArray,
    aperture_mm: float,
    cement: Filler,
    friction: float,
) -> Contact:
    """Cement that fills the aperture and touches both faces without adhering: pressure and friction only.

    Its stiffness is that of `gap_stiffness`, constriction included. Parameters as for `face_closure`.
    """
    constriction = constriction_compliance(space, bone, coverage)
    touching = gap_stiffness(coverage, aperture_mm, Filler(0.0), cement, constriction)
    return Contact(
        clearance=np.where(coverage > 1e-9, 0.0, np.inf),
        normal=touching.normal,
        tangential=touching.tangential,
        rigid=np.zeros(coverage.shape[1], bool),
        damping=np.zeros(coverage.shape),
        friction=friction,
    )


def joined(layers: Sequence[Contact]) -> Contact:
    """Several layers at the same points, side by side."""
    if len({layer.friction for layer in layers}) != 1:
        raise ValueError("layers of one gap share their friction")

    def beside(name: str) -> FloatArray:
        return np.concatenate([getattr(layer, name) for layer in layers], axis=-1)

    return Contact(
        beside("clearance"),
        beside("normal"),
        beside("tangential"),
        np.concatenate([layer.rigid for layer in layers]),
        beside("damping"),
        layers[0].friction,
    )


@dataclass(frozen=True, eq=False)
class Multipliers:
    """What the law is augmented with.

    Attributes
    ----------
    pressure : (p, s)
        MPa.
    friction : (p, s, 3)
        MPa.
    origin : (p, s, 3)
        Tangential jump in mm from which slip counts: that at the end of the last step of the load.
    """

    pressure: FloatArray
    friction: FloatArray
    origin: FloatArray


@dataclass(frozen=True, eq=False)
class Tractions:
    """What contact does at its points for one displacement.

    Attributes
    ----------
    gap : (p, s)
        Distance of the faces, mm; inf where nothing touches.
    pressure : (p, s)
        MPa.
    friction : (p, s, 3)
        MPa on side +1.
    closed, slipping : (p, s) bool
    direction : (p, s, 3)
        Of the friction.
    reduction : (p, s)
        Friction over what sticking would need: 1 where it sticks.
    """

    gap: FloatArray
    pressure: FloatArray
    friction: FloatArray
    closed: BoolArray
    slipping: BoolArray
    direction: FloatArray
    reduction: FloatArray


def split_jump(jump: FloatArray, normals: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Opening (p, s) and tangential part (p, s, 3) of a jump (p, s, 3) at normals (p, 3)."""
    opening = np.einsum("psx,px->ps", jump, normals)
    return opening, jump - opening[..., None] * normals[:, None]


def tractions(
    contact: Contact,
    jump: FloatArray,
    normals: FloatArray,
    held: Multipliers,
    bound: FloatArray | None = None,
) -> Tractions:
    """The law at a jump (p, s, 3); ``bound`` (p, s) replaces μ p as the limit of friction."""
    opening, tangential = split_jump(jump, normals)
    gap = contact.clearance + opening
    touching = np.isfinite(gap)
    pressure = np.maximum(held.pressure - contact.normal * np.where(touching, gap, 0.0), 0.0) * touching
    if bound is None:
        bound = contact.friction * pressure
    wanted = held.friction - contact.tangential[..., None] * (tangential - held.origin)
    length = np.linalg.norm(wanted, axis=2)
    safe = np.maximum(length, 1e-300)
    reduction = np.minimum(bound / safe, 1.0)
    friction = reduction[..., None] * wanted
    return Tractions(gap, pressure, friction, pressure > 0.0, length > bound, wanted / safe[..., None], reduction)


def tangents(contact: Contact, normals: FloatArray, at: Tractions) -> FloatArray:
    """(p, s, 3, 3) stiffness of the law with the limit of friction held: symmetric and never negative.

    What is dropped is the change of μ p with the gap, the one unsymmetric term of Coulomb's law:
    with it, conjugate gradients would not apply. The iteration then converges linearly, by about μ
    times the share of the normal jump that follows the friction, and to the same answer, as the
    residual holds μ p itself (the fixed point of Tresca problems: Nečas, Jarušek & Haslinger 1980).
    """
    nn = normals[:, None, :, None] * normals[:, None, None, :]
    plane = np.eye(3) - nn
    along = at.direction[..., :, None] * at.direction[..., None, :]
    shear = contact.tangential * at.reduction * (at.reduction > 0)
    return np.asarray(
        (contact.normal * at.closed)[..., None, None] * nn
        + shear[..., None, None] * (plane - at.slipping[..., None, None] * along)
    )


def contact_matrices(space: Space, tensors: FloatArray) -> FloatArray:
    """(p, 6a, 6a) stiffness between twin faces from tensors (p, s, 3, 3) in N/mm³ at the contact points."""
    block = jump_matrices(space, tensors, np.ones(len(tensors), bool))
    return np.concatenate([np.concatenate([block, -block], axis=2), np.concatenate([-block, block], axis=2)], axis=1)


def jump_matrices(space: Space, tensors: FloatArray, pairs: BoolArray) -> FloatArray:
    """(n, 3a, 3a) stiffness in the jump of the n chosen pairs (p,), from tensors (p, s, 3, 3) in N/mm³."""
    shape, areas = contact_points(space, tensors.shape[1])
    s, a = shape.shape
    outer = (shape[:, :, None] * shape[:, None, :]).reshape(s, a * a)
    weighted = (areas[pairs, :, None, None] * tensors[pairs]).reshape(-1, s, 9)
    single = (np.swapaxes(weighted, 1, 2) @ outer).reshape(-1, 3, 3, a, a)
    return np.asarray(np.moveaxis(single, (3, 1, 4, 2), (1, 2, 3, 4)).reshape(-1, 3 * a, 3 * a))


def contact_points(space: Space, count: int) -> tuple[FloatArray, FloatArray]:
    """Face shape functions (s, a) and areas (p, s) at ``count`` contact points a pair."""
    layers = count // len(space.gap.barycentric)
    return np.tile(space.face_shape(space.gap.barycentric), (layers, 1)), np.tile(space.gap.areas, (1, layers))


def contact_force(space: Space, pressure: FloatArray, friction: FloatArray) -> FloatArray:
    """(N, 3) nodal forces in N of pressure (p, s) and friction (p, s, 3) on both sides."""
    shape, areas = contact_points(space, pressure.shape[1])
    traction = pressure[..., None] * space.gap.normals[:, None] + friction
    nodal = np.einsum("sa,ps,psx->pax", shape, areas, traction, optimize=True)
    force = np.zeros((space.n_nodes, 3))
    plus, minus = space.mesh.paired
    np.add.at(force, space.face_nodes[plus], nodal)
    np.add.at(force, space.face_nodes[minus], -nodal)
    return force


@dataclass(frozen=True)
class ContactStep:
    """One step of the load.

    Attributes
    ----------
    load_share : float
    iterations : int
        Linear solves.
    augmentations : int
    open, stick, slip : int
        Contact points in each state at its end.
    """

    load_share: float
    iterations: int
    augmentations: int
    open: int
    stick: int
    slip: int


@dataclass(frozen=True, eq=False)
class ContactState:
    """Contact at the end of a load.

    Attributes
    ----------
    pressure : (p, s)
        MPa.
    friction : (p, s, 3)
        MPa on side +1.
    closed, slipping : (p, s) bool
    areas : (p, s)
        mm² that each point stands for.
    rigid : (s,) bool
        Points where bone meets bone; at the others cement touches.
    penetration_mm : float
        Largest overlap of faces that are rigid to one another.
    external_nmm, stored_nmm, dissipated_nmm : float
        Work of the load, elastic energy of bone and gap, work against friction; the first and the last
        trapezoidal over the steps.
        Where displacement grows in proportion to the load, the first is the sum of the others.
    taken_nmm : float
        Pressure and friction times the jump against them, at the end of the load: force times displacement is
        twice the energy of all but the gap's contact, and this.
    steps : tuple of ContactStep
    """

    pressure: FloatArray
    friction: FloatArray
    closed: BoolArray
    slipping: BoolArray
    areas: FloatArray
    rigid: BoolArray
    penetration_mm: float
    external_nmm: float
    stored_nmm: float
    dissipated_nmm: float
    taken_nmm: float
    steps: tuple[ContactStep, ...]

    @property
    def closed_mm2(self) -> float:
        """Area on which bone meets bone."""
        return float((self.areas * self.closed)[:, self.rigid].sum())

    @property
    def cement_closed_mm2(self) -> float:
        """Area on which cement that does not adhere is pressed."""
        return float((self.areas * self.closed)[:, ~self.rigid].sum())
