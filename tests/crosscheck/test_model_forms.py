"""What the interface law and the membrane leave out, seen beside the solid that they stand for.

Our own solver on two meshes. The two models are not the same, so the limits are of mechanics and not of rounding:
2 % on the mean jump of a 1 mm layer, 5 % on stiffness, micromotion and bone stress beside a cortex. The stress of the
cortex itself is not that close within 6 mm of the gap, where a free edge takes its load from the bone: 19 % too low
where the gap cuts all of it, 6 % (mean) to 12 % (95th percentile) too high where the gap ends, and no mesh mends it.
"""

import numpy as np
import pytest
from blocks_of_tets import lattice, opened, split_box
from elasticity import at, faces_at, gap_of, held, system, traction_force

from sacrofem.mechanics.measures.measures import (
    weighted_mean,
    weighted_percentile,
)
from sacrofem.mechanics.parts.cortex import Membrane, membrane_stresses
from sacrofem.mechanics.parts.interface import Filler
from sacrofem.mechanics.space.principal import principal_strains, principal_stresses, principal_values, von_mises
from sacrofem.mechanics.space.space import Space

pytestmark = pytest.mark.slow
FILLER, APERTURE = Filler(0.5, 0.17), 1.0


def loaded(space, traction, **model):
    """Displacement (N, 3) and force (N, 3) of a block that stands on z = 0 under a traction on its top."""
    top = space.mesh.points[:, 2].max()
    force = traction_force(space, faces_at(space.mesh, 2, top), lambda x, n: traction(x))
    fixed = held(space, (at(space, 2, 0.0), [0, 1, 2]))
    return system(space, fixed=fixed, tolerance=1e-10, **model).solve(force).displacement, force


def vector(*components):
    return np.array(components)[:, None, None]


# ------------------------------------------------------------------ gap
BONE, SIDE, HALF = 300.0, 40.0, 24.0
LOADS = {
    "pressed": lambda x: vector(0.0, 0.0, -0.02) + 0 * x,
    "sheared": lambda x: vector(0.01, 0.006, 0.0) + 0 * x,
    "bent": lambda x: vector(0.0, 0.0, 0.002) * (x[0] - SIDE / 2),
}


def plane(space, z):
    """Nodes of a plane of the lattice, in the order of their x and y."""
    nodes = np.flatnonzero(at(space, 2, z))
    return nodes[np.lexsort(np.round(space.nodes[nodes, :2], 6).T)]


def mean_jumps():
    """Mean length (mm) of the jump over a meshed layer, of that between the bones there, and by the gap law.

    The law has its jump on one surface, the middle of the gap. The bone on either side of the meshed layer is
    continued to that surface along its own gradient: between the faces of the layer a tilt adds itself times the
    aperture.
    """
    ticks = np.linspace(0.0, SIDE, 7)
    faces = HALF - APERTURE / 2, HALF + APERTURE / 2
    z = np.concatenate([np.linspace(0.0, faces[0], 4), [HALF], np.linspace(faces[1], 2 * HALF, 4)])
    layered = Space(lattice(ticks, ticks, z), 2)
    soft = np.abs(layered.mesh.centroids[:, 2] - HALF) < APERTURE / 2
    youngs, poisson = np.where(soft, FILLER.modulus_mpa, BONE), np.where(soft, FILLER.poisson, 0.3)
    cut = Space(split_box((6, 6, 6), (SIDE, SIDE, 2 * HALF), HALF), 2)
    law = gap_of(cut, *FILLER.stiffness(APERTURE))

    step = faces[0] / 6
    planes = [plane(layered, z) for z in (faces[0] - step, *faces, faces[1] + step)]
    lever = APERTURE / 2 / step
    # Both meshes have the same triangles there; a node stands for its share of those that meet in it.
    triangles = cut.mesh.paired[0]
    share = traction_force(cut, triangles, lambda x, n: 1.0 + 0 * x)[:, 0]
    nodes = np.unique(cut.face_nodes[triangles])
    weight = share[nodes[np.lexsort(np.round(cut.nodes[nodes, :2], 6).T)]]
    jumps = {}
    for name, traction in LOADS.items():
        u, _ = loaded(layered, traction, youngs=youngs, poisson=poisson)
        below, low, high, above = (u[nodes] for nodes in planes)
        between = (high - lever * (above - high)) - (low - lever * (below - low))
        v, _ = loaded(cut, traction, youngs=BONE, poisson=0.3, gap=law)
        by_law = np.linalg.norm(cut.jump(v), axis=2).ravel()
        jumps[name] = (
            weighted_mean(np.linalg.norm(high - low, axis=1), weight),
            weighted_mean(np.linalg.norm(between, axis=1), weight),
            weighted_mean(by_law, cut.gap.areas.ravel()),
        )
    return jumps


def test_a_meshed_layer_of_filler_opens_like_the_gap_law(agree):
    for name, (faces, bones, law) in mean_jumps().items():
        case = f"1 mm layer of filler, {name}"
        agree(case, "mean jump of the bones, mm", law, bones, 0.02)
        # 2.6 % when sheared, for the tilt.
        agree(case, "mean jump of the layer's faces, mm", law, faces, 0.04)


# ------------------------------------------------------------------ cortex
SOFT, CORTEX, THICK = 150.0, 0.67 * 17000.0, 0.65
WIDTH, DEPTH, HEIGHT = 48.0, 40.0, 60.0
# Whole boxes of the lattice on either side, so that both kinds of cortex are looked at in the same place.
NEAR = 6.0


def skinned(length, inner):
    """Ticks of equal steps between two skins."""
    return np.concatenate([[0.0], np.linspace(THICK, length - THICK, inner + 1), [length]])


def cortical_block(solid, reach):
    """Stiffness and fracture measures of a block of soft bone with a cortex on its four sides.

    A filled gap crosses it at half its height, from one side as far as x = ``reach``.
    """
    middle = HEIGHT / 2
    z = np.concatenate([np.linspace(0, 24, 5), [27.0, middle, 33.0], np.linspace(36, HEIGHT, 5)])
    mesh = opened(lattice(skinned(WIDTH, 6), skinned(DEPTH, 5), z), middle, lambda centre: centre[:, 0] < reach)
    space = Space(mesh, 2)
    place = mesh.centroids
    skin = (np.minimum(place[:, :2], [WIDTH, DEPTH] - place[:, :2]) < THICK).any(axis=1)
    sides = (np.abs(mesh.face_normals[:, 2]) < 0.5) & (mesh.pair_side == 0) & (not solid)
    membrane = Membrane(np.where(sides, CORTEX, 0.0), np.where(sides, THICK, 0.0), 0.3)
    u, force = loaded(
        space,
        lambda x: vector(0.03, 0.02, -0.1) + vector(0.0, 0.0, 0.004) * (x[0] - WIDTH / 2),
        youngs=np.where(skin & solid, CORTEX, SOFT),
        poisson=0.3,
        gap=gap_of(space, *FILLER.stiffness(APERTURE)),
        parts=(membrane,),
    )
    jump, areas = space.jump(u), space.gap.areas.ravel()
    length = np.linalg.norm(jump, axis=2).ravel()
    near = np.abs(place[:, 2] - middle) < NEAR
    bone = np.repeat(near & ~skin, len(space.rule[1]))
    constants = np.full(bone.sum(), SOFT), np.full(bone.sum(), 0.3)
    stress = von_mises(principal_stresses(principal_strains(space, u)[bone], *constants))
    weights = space.integration()[1].ravel()[bone]
    cortex = solid_cortex(space, u, near & skin) if solid else membrane_cortex(space, u, membrane, near)
    return {
        "work, N mm": float(np.sum(force * u)),
        "mean micromotion, mm": weighted_mean(length, areas),
        "95th percentile of micromotion, mm": weighted_percentile(length, areas, 95.0),
        "mean closing, mm": weighted_mean(np.maximum(-space.gap.normal_part(jump), 0.0).ravel(), areas),
        "mean slip, mm": weighted_mean(np.linalg.norm(jump[..., :2], axis=2).ravel(), areas),
        "bone, mean von Mises, MPa": weighted_mean(stress, weights),
        "bone, 95th percentile, MPa": weighted_percentile(stress, weights, 95.0),
        "cortex, mean von Mises, MPa": weighted_mean(*cortex),
        "cortex, 95th percentile, MPa": weighted_percentile(*cortex, 95.0),
    }


def solid_cortex(space, u, near):
    """Von Mises stress of the mean through the thickness, and volumes: bending is not the membrane's."""
    m = len(near)
    stress = space.stresses(u, np.full(m, CORTEX), np.full(m, 0.3)).mean(axis=1)
    volumes = np.where(near, space.mesh.volumes, 0.0)
    # Six tets fill one box of the lattice, which is as thick as the cortex.
    boxes = (stress * volumes[:, None]).reshape(-1, 6, 6).sum(axis=1)
    size = volumes.reshape(-1, 6).sum(axis=1)
    used = size > 0
    return von_mises(principal_values(boxes[used] / size[used, None])), size[used]


def membrane_cortex(space, u, membrane, near):
    faces = membrane.faces[near[space.mesh.face_owners[membrane.faces]]]
    stress, areas = membrane_stresses(space, faces, u, membrane.youngs[faces], membrane.poisson)
    s1, s2, s12 = np.moveaxis(stress, -1, 0)
    return np.sqrt(s1**2 - s1 * s2 + s2**2 + 3 * s12**2).ravel(), areas.ravel()


@pytest.mark.parametrize(("name", "reach"), [("cut through", WIDTH), ("cut in part", 32.0)])
def test_a_thin_solid_cortex_acts_like_the_membrane(agree, name, reach):
    solid, membrane = cortical_block(True, reach), cortical_block(False, reach)
    for key, value in solid.items():
        limit = 0.25 if key.startswith("cortex") else 0.05
        agree(f"0.65 mm cortex, {name}", key, membrane[key], value, limit, scale=abs(value))
