"""The cortical shell: a plane-stress membrane on boundary faces."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from sacrofem.bone.provenance import CortexProvenance
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Membrane:
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
    # No argument, so that `dataclasses.replace` cannot hand it on to another cortex.
    provenance: CortexProvenance = field(init=False, default=CortexProvenance("python"))

    def stating(self, provenance: CortexProvenance) -> Membrane:
        """The same cortex, and where it comes from."""
        stated = replace(self)
        object.__setattr__(stated, "provenance", provenance)
        return stated

    @property
    def faces(self) -> IntArray:
        """(f,) boundary faces that carry cortex."""
        return np.flatnonzero((self.youngs > 0) & (self.thickness > 0))


def membrane_strains(space: Space, faces: IntArray) -> tuple[FloatArray, FloatArray]:
    """(f, q, 3, 3a) strains 11, 22, 12 in the face from nodal displacements, and areas (f, q)."""
    barycentric, weights = space.membrane_rule
    corners = space.mesh.points[space.mesh.faces[faces]]
    edges = corners[:, 1:] - corners[:, :1]
    e1 = edges[:, 0] / np.linalg.norm(edges[:, 0], axis=1, keepdims=True)
    normal = np.cross(edges[:, 0], edges[:, 1])
    twice_area = np.linalg.norm(normal, axis=1)
    e2 = np.cross(normal / twice_area[:, None], e1)
    frame = np.stack([e1, e2], axis=1)
    to_plane = np.linalg.inv(np.einsum("fix,fkx->fki", frame, edges))  # d(xi_k)/d(s_i), transposed below
    gradient = np.einsum("qak,fik->fqai", space.face_gradients(barycentric), to_plane)
    f, q, a = gradient.shape[:3]
    operator = np.zeros((f, q, 3, a, 3))
    operator[:, :, 0] = gradient[..., 0, None] * e1[:, None, None]
    operator[:, :, 1] = gradient[..., 1, None] * e2[:, None, None]
    operator[:, :, 2] = gradient[..., 0, None] * e2[:, None, None] + gradient[..., 1, None] * e1[:, None, None]
    return operator.reshape(f, q, 3, 3 * a), twice_area[:, None] * (0.5 * weights)


def _plane_stress(poisson: float) -> FloatArray:
    return np.array([[1, poisson, 0], [poisson, 1, 0], [0, 0, (1 - poisson) / 2]]) / (1 - poisson**2)


def membrane_matrices(space: Space, membrane: Membrane) -> FloatArray:
    """(f, 3a, 3a) stiffness of the membrane on its faces."""
    faces = membrane.faces
    operator, areas = membrane_strains(space, faces)
    weight = areas * (membrane.youngs[faces] * membrane.thickness[faces])[:, None]
    law = _plane_stress(membrane.poisson)
    return np.asarray(np.einsum("fqid,fq,ij,fqje->fde", operator, weight, law, operator, optimize=True))


def membrane_stresses(
    space: Space, faces: IntArray, displacement: FloatArray, youngs: FloatArray, poisson: float = 0.3
) -> tuple[FloatArray, FloatArray]:
    """Plane stresses 11, 22, 12 (f, q, 3) in MPa of cortex on faces (f,), and the areas (f, q) they stand for.

    The axes lie in the face, the first along its edge 01.
    """
    operator, areas = membrane_strains(space, faces)
    nodal = displacement[space.face_nodes[faces]].reshape(len(faces), -1)
    strain = np.einsum("fqid,fd->fqi", operator, nodal)
    return youngs[:, None, None] * strain @ _plane_stress(poisson), areas
