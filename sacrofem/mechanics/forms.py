"""What is solved, in the forms of scikit-fem: find the displacement u such that a(u, v) = l(v) for every v.

    a(u, v) = ∫_Ω σ(u) : ε(v) dV                              bone and cement       `elasticity`
            + ∫_C h σ_s(u) : ε_s(v) dA                        cortex                `membrane`
            + ∫_Γ (k_n [u]_n [v]_n + k_t [u]_t · [v]_t) dA    gap of the fracture   `gap`
            + ∫_J (k_n u_n v_n + k_t u_t · v_t) dA            joint cartilage       `layer`
            + Σ_i k_i (d_i · u)(d_i · v)                      ligaments             `ligament_stiffness`
       l(v) = ∫_E p · v dA                                    load on the endplate  `load`

Ω is the bone, C its outer surface, Γ the fracture with the jump [u] = u⁺ - u⁻ across it, J the auricular faces, E the
endplate, n a normal, u_n = u · n and u_t = u - u_n n. Contact adds to the gap what its pressure and friction do.

The model is defined here. The kernels of `sacrofem.mechanics.parts.stiffness` make the same matrix faster, and
``solver.assembly = "scikit-fem"`` solves any case without them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp
from skfem import BilinearForm, FacetBasis, LinearForm, asm
from skfem.helpers import cross, ddot, dot, eye, jump, prod, sym_grad, trace

from sacrofem.mechanics.linear.settings import Assembly
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.cortex import Membrane
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.mechanics.parts.joint import ElasticLayer
from sacrofem.mechanics.parts.ligaments import Ligaments
from sacrofem.mechanics.parts.loads import Resultant
from sacrofem.mechanics.parts.part import Part
from sacrofem.mechanics.parts.stiffness import Assembler
from sacrofem.mechanics.space.blocks import BlockMatrix
from sacrofem.mechanics.space.space import Space, lame
from sacrofem.system.arrays import FloatArray, IntArray

# Share of a matrix's largest entry below which an entry is nothing.
ROUNDING = 1e-13


# ------------------------------------------------------------------ forms
@BilinearForm
def elasticity(u: Any, v: Any, w: Any) -> Any:
    """∫_Ω σ(u) : ε(v) dV = ∫_Ω (λ tr ε(u) tr ε(v) + 2 μ ε(u) : ε(v)) dV with ε = (∇u + ∇uᵀ) / 2."""
    a, b = sym_grad(u), sym_grad(v)
    return w.lam * trace(a) * trace(b) + 2.0 * w.mu * ddot(a, b)


@BilinearForm
def membrane(u: Any, v: Any, w: Any) -> Any:
    """∫_C h σ_s(u) : ε_s(v) dA, plane stress σ_s = E / (1 - ν²) ((1 - ν) ε_s + ν tr(ε_s) P).

    ε_s = P ε P is the strain in the face and P = I - n ⊗ n; there is no bending.
    """
    within = eye(np.ones_like(w.x[0]), 3) - prod(w.n, w.n)

    def in_face(field: Any) -> Any:
        return np.einsum("ij...,jk...,kl...->il...", within, sym_grad(field), within)

    a, b = in_face(u), in_face(v)
    stress_b = w.youngs / (1.0 - w.poisson**2) * ((1.0 - w.poisson) * ddot(a, b) + w.poisson * trace(a) * trace(b))
    return w.thickness * stress_b


def _spring(u: Any, v: Any, w: Any) -> Any:
    """k_n u_n v_n + k_t u_t · v_t."""
    along = dot(u, w.n) * dot(v, w.n)
    return w.k_n * along + w.k_t * (dot(u, v) - along)


@BilinearForm
def gap(u: Any, v: Any, w: Any) -> Any:
    """∫_Γ (k_n [u]_n [v]_n + k_t [u]_t · [v]_t) dA.

    To be assembled over the bases of both sides, `Space.facet_basis` of ``mesh.paired``.
    """
    jump_u, jump_v = jump(w, u, v)
    return _spring(jump_u, jump_v, w)


@BilinearForm
def layer(u: Any, v: Any, w: Any) -> Any:
    """∫_J (k_n u_n v_n + k_t u_t · v_t) dA."""
    return _spring(u, v, w)


@LinearForm
def load(v: Any, w: Any) -> Any:
    """∫_E p · v dA."""
    return dot(w.p, v)


# ------------------------------------------------------------------ the model
def stiffness(space: Space, bone: Elasticity, parts: Iterable[Part] = ()) -> sp.csr_matrix:
    """The matrix of a(u, v) in N/mm over ``space.dofs``, nothing held; what is not of this page is added as it is."""
    matrix = bone_stiffness(space, bone)
    for part in parts:
        matrix += part_stiffness(space, part)
    return matrix


def part_stiffness(space: Space, part: Part) -> sp.csr_matrix:
    """The matrix of a part in N/mm over ``space.dofs``, by its form where it has one here."""
    match part:
        case Membrane() if len(part.faces):
            return cortex_stiffness(space, part)
        case GapStiffness() if len(space.gap.areas):
            return gap_stiffness(space, part)
        case ElasticLayer() if len(part.faces):
            return joint_stiffness(space, part)
        case Ligaments() if len(part.nodes):
            return ligament_stiffness(space, part)
    matrix = sp.csr_matrix((space.dofs.N, space.dofs.N))
    for elements in part.elements(space):
        dofs = (3 * elements.nodes[..., None] + np.arange(3)).reshape(len(elements.nodes), -1)
        rows, columns = np.broadcast_arrays(dofs[:, :, None], dofs[:, None, :])
        matrix += sp.csr_matrix((elements.matrices.ravel(), (rows.ravel(), columns.ravel())), matrix.shape)
    return matrix


def bone_stiffness(space: Space, bone: Elasticity) -> sp.csr_matrix:
    """`elasticity` over all tets."""
    lam, mu = (constant[:, None] for constant in lame(bone.youngs, bone.poisson))
    bases = space.cell_bases(space.degree)
    return sum(elasticity.assemble(basis, lam=lam[basis.tind], mu=mu[basis.tind]) for basis in bases)


def cortex_stiffness(space: Space, cortex: Membrane) -> sp.csr_matrix:
    """`membrane` over the faces that carry cortex."""
    faces = cortex.faces
    basis = space.facet_basis(faces, space.membrane_rule)
    youngs, thickness = cortex.youngs[faces, None], cortex.thickness[faces, None]
    return membrane.assemble(basis, youngs=youngs, thickness=thickness, poisson=cortex.poisson)


def gap_stiffness(space: Space, law: GapStiffness) -> sp.csr_matrix:
    """`gap` over the pairs: four blocks, u and v on either side."""
    sides = [space.facet_basis(faces, space.gap_rule) for faces in space.mesh.paired]
    matrix = asm(gap, sides, sides, k_n=law.normal, k_t=law.tangential)
    # Shape functions of nodes off a face vanish on it; what rounding leaves of them would couple tets that do not meet.
    matrix.data[np.abs(matrix.data) < ROUNDING * np.abs(matrix.data).max(initial=0.0)] = 0.0
    matrix.eliminate_zeros()
    return matrix


def joint_stiffness(space: Space, joint: ElasticLayer) -> sp.csr_matrix:
    """`layer` over the faces on cartilage."""
    basis = space.facet_basis(joint.faces)
    return layer.assemble(basis, k_n=joint.normal[:, None], k_t=joint.tangential[:, None])


def ligament_stiffness(space: Space, ligaments: Ligaments) -> sp.csr_matrix:
    """Σ_i k_i (d_i · u)(d_i · v): a force along d_i of k_i N/mm times the elongation."""
    dofs = 3 * ligaments.nodes[:, None] + np.arange(3)
    elongation = sp.csr_matrix(
        (ligaments.directions.ravel(), dofs.ravel(), 3 * np.arange(len(dofs) + 1)), (len(dofs), space.dofs.N)
    )
    return elongation.T @ sp.diags(ligaments.stiffness) @ elongation


def load_vector(space: Space, faces: IntArray, resultant: Resultant) -> FloatArray:
    """(N, 3) nodal forces of `load` in N, with the traction that `traction` finds."""
    basis = space.facet_basis(faces)
    return np.asarray(load.assemble(basis, p=traction(basis, resultant))).reshape(-1, 3)


def traction(basis: FacetBasis, resultant: Resultant) -> FloatArray:
    """(3, f, q) the traction p = a + b × (x - c) in MPa that has a given force and moment.

    Of the six rigid motions m_i about the centroid c of the faces, p = Σ c_i m_i with ∫ p · m_i dA the force and the
    moment about c.
    """
    x = np.asarray(basis.global_coordinates())
    centre = (x * basis.dx).sum(axis=(1, 2)) / basis.dx.sum()
    arm = x - centre[:, None, None]
    shifts = [np.broadcast_to(axis[:, None, None], arm.shape) for axis in np.eye(3)]
    motions = np.array([*shifts, *(cross(axis, arm) for axis in shifts)])
    products = np.einsum("ixfq,jxfq,fq->ij", motions, motions, basis.dx)
    moment = resultant.moment + np.cross(resultant.point - centre, resultant.force)
    return np.asarray(np.einsum("i,i...->...", np.linalg.solve(products, [*resultant.force, *moment]), motions))


# ------------------------------------------------------------------ in the place of the compiled kernels
class FormAssembler(Assembler):
    """The matrices of `stiffness`, in the blocks that the solvers take."""

    def matrix(self, bone: Elasticity, gap: Part | None = None) -> BlockMatrix:
        """Stiffness in N/mm without any displacement constrained; see `Assembler`."""
        total = bone_stiffness(self.space, bone)
        for part in self.parts if gap is None else (*self.parts, gap):
            found = part_stiffness(self.split, part).tocoo()
            rows, columns = (3 * self.number[dofs // 3] + dofs % 3 for dofs in (found.row, found.col))
            total += sp.csr_matrix((found.data, (rows, columns)), total.shape)
        indptr, indices = self.pattern
        return BlockMatrix(indptr, indices, np.zeros((len(indices), 3, 3))).plus(total)


def assembler(
    space: Space, parts: Iterable[Part] = (), assembly: Assembly = "gather", split: Space | None = None
) -> Assembler:
    """What makes the matrices on a space: the compiled gather, or the forms of this page."""
    return (FormAssembler if assembly == "scikit-fem" else Assembler)(space, parts, split)
