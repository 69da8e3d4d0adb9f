"""Displacement fields on a tetrahedral mesh: numbering, interpolation, strain and stress."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

import numpy as np
from scipy.spatial import cKDTree
from skfem import (
    CellBasis,
    DiscreteField,
    ElementTetP1,
    ElementTetP2,
    ElementTriP1,
    ElementTriP2,
    ElementVector,
    FacetBasis,
    MeshTet,
)
from skfem.assembly.dofs import Dofs

from sacrofem.mechanics.space.quadrature import GAP_SUBDIVISIONS, gap_points, tet_rule, triangle_rule
from sacrofem.mesh.gap import GapPoints
from sacrofem.mesh.tetmesh import TET_EDGES, TetMesh
from sacrofem.system.arrays import FloatArray, IntArray

Order = Literal[1, 2]
_REACH_MM = 10.0
# Tets in one piece: their basis takes 0.1 GB on P2, and what a form makes of it 0.2 GB.
_AT_ONCE = 10_000
_ELEMENTS = {1: (ElementTetP1, ElementTriP1), 2: (ElementTetP2, ElementTriP2)}


def _shapes(element: Any, barycentric: FloatArray) -> FloatArray:
    """(q, a) shape functions of a scikit-fem element at barycentric points."""
    X = barycentric[:, 1:].T
    return np.column_stack([element.lbasis(X, a)[0] for a in range(len(element.doflocs))])


def _slopes(element: Any, barycentric: FloatArray) -> FloatArray:
    """(q, a, d) their derivatives to the last d of d + 1 barycentric coordinates."""
    X = barycentric[:, 1:].T
    return np.stack([element.lbasis(X, a)[1].T for a in range(len(element.doflocs))], axis=1)


def tet_shape(barycentric: FloatArray, order: Order) -> FloatArray:
    """(q, a) shape functions at barycentric points (q, 4), nodes in the order of `Space.connectivity`."""
    return _shapes(_ELEMENTS[order][0](), barycentric)


def tet_gradients(barycentric: FloatArray, order: Order) -> FloatArray:
    """(q, a, 4) derivatives of the shape functions to the four barycentric coordinates.

    A shape function does not depend on the coordinates of the corners that its node does not lie between: those
    derivatives are 0. scikit-fem's differ by a multiple of (1, 1, 1, 1), which no gradient in space sees.
    """
    element = _ELEMENTS[order][0]()
    derivative = np.zeros((len(barycentric), len(element.doflocs), 4))
    derivative[..., 1:] = _slopes(element, barycentric)
    place = np.column_stack([1.0 - element.doflocs.sum(axis=1), element.doflocs])
    derivative -= np.take_along_axis(derivative, place.argmin(axis=1)[None, :, None], axis=2)
    return np.where(place > 0.0, derivative, 0.0)


class Space:
    """Vector P1 or P2 displacements on straight-sided tets; scikit-fem numbers the nodes.

    Parameters
    ----------
    mesh : TetMesh
    order : 1 or 2

    Attributes
    ----------
    nodes : (N, 3)
        Coordinates of the nodes in mm; the mesh's own points come first, in their order.
    connectivity : (m, 4) or (m, 10)
        Nodes of each tet in the order of VTK and Abaqus C3D10.
    face_nodes : (k, 3) or (k, 6)
        Nodes of each boundary face: its corners, then the middles of 01, 12 and 20.
    """

    def __init__(self, mesh: TetMesh, order: Order = 2) -> None:
        self.mesh, self.order = mesh, order
        skfem_mesh = MeshTet(
            np.ascontiguousarray(mesh.points.T), np.ascontiguousarray(mesh.tets.T), sort_t=False, validate=False
        )
        self.skfem_mesh = skfem_mesh
        dofs = Dofs(skfem_mesh, _ELEMENTS[order][0]()).element_dofs
        self.connectivity: IntArray = np.ascontiguousarray(dofs.T.astype(np.int64))
        self.n_nodes = int(self.connectivity.max()) + 1
        nodes = np.empty((self.n_nodes, 3))
        nodes[: len(mesh.points)] = mesh.points
        if order == 2:
            nodes[self.connectivity[:, 4:]] = mesh.points[mesh.tets[:, TET_EDGES]].mean(axis=2)
        self.nodes: FloatArray = nodes

    def __reduce__(self) -> tuple[type[Space], tuple[TetMesh, Order]]:
        # Tables are found again: they are many times the mesh.
        return type(self), (self.mesh, self.order)

    @cached_property
    def face_nodes(self) -> IntArray:
        """See the class."""
        faces = self.mesh.faces
        if self.order == 1:
            return faces
        tets, nodes = self.mesh.tets, self.connectivity
        owner = self.mesh.face_owners
        local = np.argmax(tets[owner][:, None, :] == faces[:, :, None], axis=2)
        edge_of = np.zeros((4, 4), dtype=np.int64)
        for number, (i, j) in enumerate(TET_EDGES):
            edge_of[i, j] = edge_of[j, i] = 4 + number
        middles = edge_of[local, np.roll(local, -1, axis=1)]
        return np.column_stack([faces, np.take_along_axis(nodes[owner], middles, axis=1)])

    @cached_property
    def barycentric_gradients(self) -> FloatArray:
        """(m, 4, 3) gradients of the barycentric coordinates in 1/mm."""
        p = self.mesh.points[self.mesh.tets]
        inverse = np.linalg.inv(np.swapaxes(p[:, 1:] - p[:, :1], 1, 2))
        return np.concatenate([-inverse.sum(axis=1, keepdims=True), inverse], axis=1)

    @property
    def degree(self) -> int:
        """Degree of rules for products of two gradients of shape functions."""
        return max(2 * (self.order - 1), 1)

    @cached_property
    def rule(self) -> tuple[FloatArray, FloatArray]:
        """Barycentric points (q, 4) and weights: exact for the stiffness of straight-sided tets."""
        return tet_rule(self.degree)

    @cached_property
    def membrane_rule(self) -> tuple[FloatArray, FloatArray]:
        """Barycentric points (q, 3) and weights: exact for the stiffness of a membrane on straight-sided faces."""
        return triangle_rule(self.degree)

    def integration(self) -> tuple[FloatArray, FloatArray]:
        """Points (m, q, 3) in mm and weights (m, q) in mm³ at which strain and stress are given."""
        barycentric, weights = self.rule
        points = np.einsum("qc,mcx->mqx", barycentric, self.mesh.points[self.mesh.tets])
        return points, self.mesh.volumes[:, None] * weights

    def strains(self, displacement: FloatArray) -> FloatArray:
        """(m, q, 6) strains xx, yy, zz, yz, xz, xy with engineering shears from (N, 3) displacements."""
        shape = tet_gradients(self.rule[0], self.order)
        local = np.einsum("qak,mai->mqki", shape, displacement[self.connectivity], optimize=True)
        gradient = np.einsum("mqki,mkj->mqij", local, self.barycentric_gradients, optimize=True)
        strain = np.empty((*gradient.shape[:2], 6))
        for v, (i, j) in enumerate(((0, 0), (1, 1), (2, 2))):
            strain[..., v] = gradient[..., i, j]
        for v, (i, j) in enumerate(((1, 2), (0, 2), (0, 1)), start=3):
            strain[..., v] = gradient[..., i, j] + gradient[..., j, i]
        return strain

    def stresses(self, displacement: FloatArray, youngs: FloatArray, poisson: FloatArray) -> FloatArray:
        """(m, q, 6) stresses xx, yy, zz, yz, xz, xy in MPa for moduli (m,) and Poisson's ratios (m,)."""
        lam, mu = lame(youngs, poisson)
        stress = self.strains(displacement)
        trace = stress[..., :3].sum(axis=2)
        stress[..., :3] = 2.0 * mu[:, None, None] * stress[..., :3] + (lam[:, None] * trace)[..., None]
        stress[..., 3:] *= mu[:, None, None]
        return stress

    @property
    def gap_rule(self) -> tuple[FloatArray, FloatArray]:
        """Barycentric points (q, 3) and weights of `gap`."""
        return triangle_rule(subdivisions=GAP_SUBDIVISIONS)

    @cached_property
    def gap(self) -> GapPoints:
        """Integration points on the paired faces."""
        return gap_points(self.mesh)

    @cached_property
    def gap_distance(self) -> FloatArray:
        """(m,) distance of each tet's centroid to the nearest gap point in mm; inf beyond 10 mm."""
        if self.gap.areas.size == 0:
            return np.full(len(self.mesh.tets), np.inf)
        tree = cKDTree(self.gap.points.reshape(-1, 3))
        return np.asarray(tree.query(self.mesh.centroids, distance_upper_bound=_REACH_MM)[0])

    def face_shape(self, barycentric: FloatArray) -> FloatArray:
        """(q, 3) or (q, 6) face shape functions at barycentric points of the face."""
        return _shapes(_ELEMENTS[self.order][1](), barycentric)

    def face_gradients(self, barycentric: FloatArray) -> FloatArray:
        """(q, 3 or 6, 2) derivatives of the face shape functions along edges 01 and 02."""
        return _slopes(_ELEMENTS[self.order][1](), barycentric)

    def jump(self, displacement: FloatArray) -> FloatArray:
        """(p, q, 3) displacement of side +1 less that of side -1 at the gap points, mm."""
        plus, minus = self.mesh.paired
        difference = displacement[self.face_nodes[plus]] - displacement[self.face_nodes[minus]]
        return np.asarray(np.einsum("qa,pax->pqx", self.face_shape(self.gap.barycentric), difference))

    # ------------------------------------------------------------------ scikit-fem
    @cached_property
    def element(self) -> ElementVector:
        """scikit-fem's element of the displacement."""
        return ElementVector(_ELEMENTS[self.order][0]())

    @cached_property
    def dofs(self) -> Dofs:
        """scikit-fem's numbering of displacements: node by node, x, y, z; ``displacement.ravel()`` is such a vector."""
        return Dofs(self.skfem_mesh, self.element)

    @cached_property
    def basis(self) -> CellBasis:
        """scikit-fem's basis of the displacement on all tets, at the points of `integration`."""
        return self.cell_basis(intorder=self.degree)

    def cell_basis(self, tets: IntArray | None = None, *, intorder: int | None = None) -> CellBasis:
        """scikit-fem's basis on some tets (default: all), by its rule of a degree (default: twice the order)."""
        return CellBasis(
            self.skfem_mesh, self.element, dofs=self.dofs, elements=tets, intorder=intorder, disable_doflocs=True
        )

    def cell_bases(self, intorder: int | None = None) -> Iterator[CellBasis]:
        """The same on all tets, piece by piece (``tind``): a basis takes more memory than its matrix."""
        m = len(self.mesh.tets)
        for tets in np.array_split(np.arange(m), -(-m // _AT_ONCE)):
            yield self.cell_basis(tets, intorder=intorder)

    def facet_basis(self, faces: IntArray, rule: tuple[FloatArray, FloatArray] | None = None) -> FacetBasis:
        """scikit-fem's basis on boundary faces of the mesh.

        scikit-fem places points by the numbers of a facet's corners, which differ between twin faces; here they are
        placed by the corners in ``mesh.faces``, so that the k-th points of the two faces of a pair coincide.

        Parameters
        ----------
        faces : (f,) int
            Boundary faces, in any order, which the basis keeps.
        rule
            Barycentric points (q, 3) and weights (q,); default: `triangle_rule`.
        """
        mesh = self.mesh
        barycentric, weights = triangle_rule() if rule is None else rule
        corners, owners = mesh.faces[faces], mesh.face_owners[faces]
        opposite = np.argmin((mesh.tets[owners][:, :, None] == corners[:, None, :]).any(axis=2), axis=1)
        # Of scikit-fem's facets of a tet the last lies opposite to its first corner; their own corners ascend.
        facets = self.skfem_mesh.t2f[3 - opposite, owners]
        X = np.moveaxis(barycentric[:, np.argsort(corners, axis=1)[:, 1:]], (0, 1, 2), (2, 1, 0))
        return FacetBasis(
            self.skfem_mesh, self.element, dofs=self.dofs, facets=facets, quadrature=(X, 0.5 * weights),
            disable_doflocs=True,
        )  # fmt: skip

    def interpolate(self, displacement: FloatArray) -> DiscreteField:
        """Displacement (N, 3) as a field of scikit-fem: (3, m, q) values with ``grad`` (3, 3, m, q) on `basis`."""
        return self.basis.interpolate(np.ravel(displacement))

    def __getstate__(self) -> dict[str, Any]:
        # Many times the size of the mesh, and made anew in a second.
        return {key: value for key, value in self.__dict__.items() if key not in ("basis", "dofs")}


def lame(youngs: FloatArray, poisson: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lamé's λ and μ (MPa) of isotropic material from Young's modulus and Poisson's ratio."""
    return youngs * poisson / ((1 + poisson) * (1 - 2 * poisson)), youngs / (2 * (1 + poisson))


def layer_stiffness(youngs: float, poisson: float, thickness_mm: float) -> tuple[float, float]:
    """Normal and tangential stiffness E'/t and G/t in N/mm³ of a thin layer, E' the constrained modulus."""
    constrained = youngs * (1 - poisson) / ((1 + poisson) * (1 - 2 * poisson))
    return constrained / thickness_mm, youngs / (2 * (1 + poisson)) / thickness_mm
