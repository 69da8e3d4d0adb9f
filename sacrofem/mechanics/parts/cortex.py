"""The cortical shell: a plane-stress membrane on boundary faces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from sacrofem.bone.provenance import CortexProvenance
from sacrofem.mechanics.parts.part import Part, Springs
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Membrane(Part):
    """Cortical shell as a plane-stress membrane without bending stiffness.

    Attributes
    ----------
    youngs, thickness : (k,)
        MPa and mm on every boundary face of the mesh; 0 where there is no cortex.
    poisson : float
    provenance : CortexProvenance
        That of `stating`; without it, and of a changed copy, it was given in Python.
    """

    youngs: FloatArray
    thickness: FloatArray
    poisson: float = 0.3
    name: str = "cortex"
    # No argument, so that `dataclasses.replace` cannot hand it on to another cortex.
    provenance: CortexProvenance = field(init=False, default=CortexProvenance("python"))

    @classmethod
    def none(cls, mesh: TetMesh) -> Membrane:
        """No cortex anywhere."""
        return cls(np.zeros(len(mesh.faces)), np.zeros(len(mesh.faces)))

    def stating(self, provenance: CortexProvenance) -> Membrane:
        """The same cortex, and where it comes from."""
        stated = replace(self)
        object.__setattr__(stated, "provenance", provenance)
        return stated

    @property
    def faces(self) -> IntArray:
        """(f,) boundary faces that carry cortex."""
        return np.flatnonzero((self.youngs > 0) & (self.thickness > 0))

    def elements(self, space: Space) -> Iterator[Springs]:
        """Springs of the strains in which the plane-stress law is diagonal.

        2w = E/(1-ν) a² + E/(1+ν) b² + E/(2(1+ν)) c² with a, b = (ε₁₁ ± ε₂₂)/√2 and c = γ₁₂.
        """
        faces, nu = self.faces, self.poisson
        if not len(faces):
            return
        slopes, axes, areas = _strain_factors(space, faces)
        first, second, shear = np.moveaxis(axes, 1, 0)
        modes = np.stack([(first + second) / np.sqrt(2), (first - second) / np.sqrt(2), shear], axis=1)
        law = np.array([1 / (1 - nu), 1 / (1 + nu), 0.5 / (1 + nu)])
        weight = areas * (self.youngs[faces] * self.thickness[faces])[:, None]
        # The place of a strain has no meaning to a solver; the middle of its face shows where it belongs.
        middle = space.mesh.points[space.mesh.faces[faces]].mean(axis=1)
        yield Springs(
            space.face_nodes[faces], slopes, modes, weight[..., None] * law,
            np.repeat(middle[:, None], areas.shape[1], axis=1),
        )  # fmt: skip


def _strain_factors(space: Space, faces: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Slopes (q, a, 2) and axes (f, 3, 2, 3) whose product are the strains 11, 22, 12 in the face; areas (f, q)."""
    barycentric, weights = space.membrane_rule
    corners = space.mesh.points[space.mesh.faces[faces]]
    edges = corners[:, 1:] - corners[:, :1]
    e1 = edges[:, 0] / np.linalg.norm(edges[:, 0], axis=1, keepdims=True)
    normal = np.cross(edges[:, 0], edges[:, 1])
    twice_area = np.linalg.norm(normal, axis=1)
    e2 = np.cross(normal / twice_area[:, None], e1)
    frame = np.stack([e1, e2], axis=1)
    to_plane = np.linalg.inv(np.einsum("fix,fkx->fki", frame, edges))  # d(xi_k)/d(s_i) at [f, i, k]
    outer = np.einsum("fik,fjx->fijkx", to_plane, frame)
    axes = np.stack([outer[:, 0, 0], outer[:, 1, 1], outer[:, 0, 1] + outer[:, 1, 0]], axis=1)
    return space.face_gradients(barycentric), axes, twice_area[:, None] * (0.5 * weights)


def membrane_stresses(
    space: Space, faces: IntArray, displacement: FloatArray, youngs: FloatArray, poisson: float = 0.3
) -> tuple[FloatArray, FloatArray]:
    """Plane stresses 11, 22, 12 (f, q, 3) in MPa of cortex on faces (f,), and the areas (f, q) they stand for.

    The axes lie in the face, the first along its edge 01.
    """
    slopes, axes, areas = _strain_factors(space, faces)
    local = np.einsum("qak,fax->fqkx", slopes, displacement[space.face_nodes[faces]])
    strain = np.einsum("fqkx,fikx->fqi", local, axes)
    law = np.array([[1, poisson, 0], [poisson, 1, 0], [0, 0, (1 - poisson) / 2]]) / (1 - poisson**2)
    return youngs[:, None, None] * strain @ law, areas
