"""Calibrate the elastic sacroiliac joint to published motions of the intact sacrum.

Two constants are free: the modulus of the layer on the auricular faces, and one factor on all ligament
stiffnesses. They are fitted once, on an intact mesh; no fracture is ever read here. The result is
written by hand into ``sacrofem.mechanics.parts.joint.Joint``; this script prints targets, values and misses
of the constants that stand there, and with ``--fit`` searches them anew.

    python studies/14_supports/calibrate.py [--mesh sacrum-medium-intact] [--order 2] [--fit]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
from motions import motions
from scipy.optimize import least_squares

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum, SacrumParameters
from sacrofem.anatomy.solid import Landmarks
from sacrofem.bone.density import generic_density
from sacrofem.mechanics.equilibrium.statics import Statics
from sacrofem.mechanics.linear.settings import SolverSettings
from sacrofem.mechanics.parts.joint import CALIBRATED_JOINT, Joint
from sacrofem.mechanics.parts.loads import NodalForces, endplate_faces, load, load_resultant, load_vector
from sacrofem.mechanics.parts.materials import bone_elasticity, cortex, cortical_membrane
from sacrofem.mechanics.parts.supports import elastic_supports
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.files.files import reference_mesh

NUTATION_DEG, TRANSLATION_MM = 1.38, 0.3  # at 600 N, Bruna-Rosso 2016 [A]
S1_ANTERIOR_MM = (0.18, 0.73)  # at 981 N, four cadaver pelves [A]; a range: only leaving it counts
SINGLE_JOINT_MM = (0.76, 2.74)  # at 294 N on one joint, medial to anterior, Miller 1987 [A]; not fitted


class IntactSacrum:
    """The female osteoporotic sacrum on its supports, solved for any joint."""

    def __init__(self, mesh: str, order: int) -> None:
        self.landmarks: Landmarks = ParametricSacrum(SacrumParameters.preset("female")).landmarks
        self.space = Space(reference_mesh(mesh), order)
        self.bone = bone_elasticity(generic_density(self.space.mesh.centroids, self.landmarks))
        self.membrane = cortical_membrane(self.space.mesh, cortex())
        resultant = load_resultant(self.landmarks, load("standing", force_n=600.0))
        self.force = load_vector(self.space, endplate_faces(self.space), resultant)
        self.resultant = resultant

    def motions(self, joint: Joint) -> dict[str, Any]:
        """Of `motions.motions` at 600 N, and ``shares`` of the load."""
        supports = elastic_supports(self.space, self.landmarks, joint=joint)
        parts = [self.membrane, *supports, NodalForces(self.force)]
        solved = Statics(self.space, parts, SolverSettings(tolerance=1e-8)).solve("intact", self.bone, None)
        shares = solved.reactions.shares(self.resultant.force)
        return {**motions(self.space, self.landmarks, solved.state.displacement), "shares": shares}


def anterior(found: dict[str, Any]) -> float:
    """Forward motion of S1 at 981 N, from that at 600 N."""
    return float(found["s1_anterior_mm"]) * 981.0 / 600.0


def fit(sacrum: IntactSacrum) -> Joint:
    """Least squares of the logarithms of value over target, from two starts."""
    best = None
    for start in ((3.0, 0.02), (1.0, 0.1)):
        result = least_squares(
            lambda p: misses(sacrum.motions(joint_of(p))), np.log(start), bounds=(np.log([0.1, 1e-4]), np.log([50, 1])),
            diff_step=0.02, xtol=1e-3, ftol=1e-4,
        )  # fmt: skip
        print(f"from {start}: {np.exp(result.x).round(4)}, cost {result.cost:.4f}")
        if best is None or result.cost < best.cost:
            best = result
    assert best is not None
    return joint_of(best.x)


def joint_of(logarithms: np.ndarray) -> Joint:
    """Joint with modulus and ligament factor from their logarithms."""
    modulus, factor = np.exp(logarithms)
    return replace(CALIBRATED_JOINT, modulus_mpa=float(modulus), ligament_factor=float(factor))


def misses(found: dict[str, Any]) -> list[float]:
    """Logarithms of value over target, or over the end of a range that was left."""
    pairs = (
        (found["nutation_deg"], NUTATION_DEG),
        (found["joint_translation_mm"], TRANSLATION_MM),
        (anterior(found), float(np.clip(anterior(found), *S1_ANTERIOR_MM))),
    )
    return [float(np.log(max(value, 1e-6) / target)) for value, target in pairs]


def main() -> None:
    """Print targets, values and misses."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mesh", default="sacrum-coarse-intact")
    parser.add_argument("--order", type=int, default=2)
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    sacrum = IntactSacrum(arguments.mesh, arguments.order)
    joint = fit(sacrum) if arguments.fit else CALIBRATED_JOINT
    for name, chosen in (
        ("calibrated", joint),
        ("published values: 10 MPa, ligaments taut", replace(joint, modulus_mpa=10.0, ligament_factor=1.0)),
        ("layer of 10 MPa alone", replace(joint, modulus_mpa=10.0, ligament_factor=1e-9)),
    ):
        m = sacrum.motions(chosen)
        print(f"\n{name}: modulus {chosen.modulus_mpa:.3g} MPa, ligament factor {chosen.ligament_factor:.3g}")
        for label, value, target in (
            ("nutation at 600 N, deg", m["nutation_deg"], NUTATION_DEG),
            ("translation at 600 N, mm", m["joint_translation_mm"], TRANSLATION_MM),
        ):
            print(f"  {label:26}{value:6.3f}   target {target} ({value / target - 1:+.0%})")
        (low, high), forward = S1_ANTERIOR_MM, anterior(m)
        verdict = "inside" if low <= forward <= high else "outside"
        print(f"  {'S1 anterior at 981 N, mm':26}{forward:6.3f}   target {low} to {high} ({verdict})")
        single = m["joint_translation_mm"] * 294 / 300
        print(f"  translation at 294 N on one joint {single:.3f} mm, measured {SINGLE_JOINT_MM}")
        s2 = sacrum.landmarks.levels[1]
        centre = f"y {m['centre_y_mm']:.1f}, z {m['centre_z_mm']:.1f} mm"
        print(f"  centre of motion {centre}; S2 at y {s2[1]:.1f}, z {s2[2]:.1f}")
        print("  shares " + ", ".join(f"{part} {share:.2f}" for part, share in m["shares"].items()))
        print(f"  auricular face against ilium {m['joint_closing_mm']:+.3f} mm along its normal")


if __name__ == "__main__":
    main()
