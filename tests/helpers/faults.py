"""Deliberate faults of the package, for a pytest process of its own (``-p faults``, SACROFEM_FAULT names one).

Each replaces one function, method or constant before any test is imported, in every module that has it already.
"""

import os
import sys
from dataclasses import replace
from functools import cached_property

import numpy as np

FAULTS = {}


def fault(function):
    FAULTS[function.__name__] = function
    return function


def swap(module, name, wrong):
    """Put ``wrong(original)`` in the place of a function, wherever it was imported to."""
    right = getattr(module, name)
    faulty = wrong(right)
    for other in [m for n, m in sys.modules.items() if n.startswith("sacrofem")]:
        for key, value in list(vars(other).items()):
            if value is right:
                setattr(other, key, faulty)


@fault
def sign_of_a_gap_normal():
    from sacrofem.mechanics.space import quadrature

    def turned(right):
        return lambda *a, **k: replace(found := right(*a, **k), normals=-found.normals)

    swap(quadrature, "gap_points", turned)


@fault
def swapped_mid_side_nodes():
    """The order of gmsh taken for that of VTK."""
    from sacrofem.mechanics.space.space import Space

    right = Space.__init__

    def wrong(self, *arguments, **given):
        right(self, *arguments, **given)
        if self.order == 2:
            self.connectivity[:, [8, 9]] = self.connectivity[:, [9, 8]]

    Space.__init__ = wrong


@fault
def factor_2_in_the_shear_modulus():
    from sacrofem.mechanics.space import space

    swap(space, "lame", lambda right: lambda *a: (lambda lam, mu: (lam, 2.0 * mu))(*right(*a)))


@fault
def transposed_jacobian():
    from sacrofem.mechanics.space.space import Space

    def wrong(self):
        p = self.mesh.points[self.mesh.tets]
        inverse = np.linalg.inv(p[:, 1:] - p[:, :1])
        return np.ascontiguousarray(np.concatenate([-inverse.sum(axis=1, keepdims=True), inverse], axis=1))

    Space.barycentric_gradients = cached_property(wrong)
    Space.barycentric_gradients.__set_name__(Space, "barycentric_gradients")


@fault
def wrong_face_area():
    """The parallelogram for the triangle."""
    from sacrofem.mesh.tetmesh import TetMesh

    TetMesh.face_areas = property(lambda self: np.linalg.norm(self._face_vectors(), axis=1))


@fault
def cement_one_layer_of_elements_off():
    """Every tet takes the filled share of its best filled neighbour."""
    from sacrofem.cement import spread

    def wrong(right):
        def placed(injections, mesh, *arguments, **given):
            region = right(injections, mesh, *arguments, **given)
            at_point = np.zeros(len(mesh.points))
            np.maximum.at(at_point, mesh.tets, region.fraction[:, None])
            return replace(region, fraction=at_point[mesh.tets].max(axis=1))

        return placed

    swap(spread, "place_cement", wrong)


@fault
def ligaments_on_the_wrong_side():
    from sacrofem.mechanics.parts import ligaments

    other = {"left": "right", "right": "left"}
    swap(
        ligaments,
        "ligaments",
        lambda right: lambda marks, side: tuple(replace(band, side=side) for band in right(marks, other[side])),
    )


@fault
def load_tilted_to_the_other_side():
    from sacrofem.mechanics.parts import loads

    swap(loads, "load_direction", lambda right: lambda normal, angle: right(normal, -angle))


@fault
def lost_moment():
    from sacrofem.mechanics.parts import loads

    def wrong(right):
        return lambda space, faces, wanted: right(space, faces, replace(wanted, moment=np.zeros(3)))

    swap(loads, "load_vector", wrong)


@fault
def jump_in_metres():
    from sacrofem.mechanics.space.space import Space

    right = Space.jump
    Space.jump = lambda self, displacement: 1e-3 * right(self, displacement)


@fault
def hundred_cubic_millimetres_to_the_millilitre():
    from sacrofem.cement import bed, spread

    bed.MM3_PER_ML = spread.MM3_PER_ML = 100.0


@fault
def young_for_the_constrained_modulus():
    """The side confinement of a thin layer forgotten."""
    from sacrofem.mechanics.space import space

    swap(space, "layer_stiffness", lambda right: lambda E, nu, t: (E / t, right(E, nu, t)[1]))


@fault
def gap_normal_and_tangential_exchanged():
    from sacrofem.mechanics.parts.interface import GapStiffness

    right = GapStiffness.elements
    GapStiffness.elements = lambda self, space: right(GapStiffness(self.tangential, self.normal), space)


@fault
def tensor_for_engineering_shear():
    from sacrofem.mechanics.space.space import Space

    right = Space.strains

    def wrong(self, displacement):
        strain = right(self, displacement)
        strain[..., 3:] *= 0.5
        return strain

    Space.strains = wrong


@fault
def twins_left_untied_in_the_intact_state():
    """All but those on one third of the fracture."""
    from sacrofem.mesh.tetmesh import TetMesh

    right = TetMesh.glued

    def wrong(self, faces=None):
        x = self.points[self.faces].mean(axis=1)[:, 0]
        some = x < x.mean() - 0.1 * np.ptp(x)
        return right(self, some if faces is None else faces & some)

    TetMesh.glued = wrong


@fault
def ligament_forgotten_in_the_reactions():
    from sacrofem.mechanics.parts import reactions as module

    def wrong(right):
        def reactions(*arguments, **given):
            found = right(*arguments, **given)
            lost = next(reversed(found.forces))
            forces, moments = ({k: v for k, v in of.items() if k != lost} for of in (found.forces, found.moments))
            return replace(found, forces=forces, moments=moments)

        return reactions

    swap(module, "reactions", wrong)


@fault
def a_little_cement_everywhere():
    """A mixture that does not begin at the bone."""
    from sacrofem.mechanics.parts import materials

    def wrong(right):
        return lambda bone, fraction, cement, **given: right(bone, np.maximum(fraction, 0.01), cement, **given)

    swap(materials, "cemented_elasticity", wrong)


def pytest_configure(config):
    name = os.environ.get("SACROFEM_FAULT")
    if name:
        FAULTS[name]()
