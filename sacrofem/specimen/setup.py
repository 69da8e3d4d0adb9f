"""What a specimen is made of, and what can be found again from it: the data that solutions and comparisons keep."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Self

from sacrofem.anatomy.solid import Landmarks
from sacrofem.bone.lesion import Lesion, border_distance
from sacrofem.case.case import Case
from sacrofem.errors import InputError
from sacrofem.mechanics.equilibrium.statics import Statics
from sacrofem.mechanics.linear.settings import SolverSettings
from sacrofem.mechanics.measures.zones import ZoneFinder, Zones
from sacrofem.mechanics.parts.bone import checked_elasticity
from sacrofem.mechanics.parts.gaplaw import GapLaw
from sacrofem.mechanics.parts.loads import NodalForces
from sacrofem.mechanics.parts.part import Part
from sacrofem.mechanics.parts.supports import Supports
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.quality import element_quality
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.specimen.anatomy import case_anatomy
from sacrofem.specimen.build import Bone, Loading
from sacrofem.specimen.cement import Distance, Site
from sacrofem.specimen.mesh import mesh_origin
from sacrofem.specimen.plan import Plan
from sacrofem.specimen.provenance import Given
from sacrofem.specimen.recipe import Recipe, after_recipe, before_recipe, intact_recipe
from sacrofem.system.arrays import FloatArray

# Found again when they are asked for: lattices of cement flow and tables of matrices are many times the mesh.
_CACHES = ("site", "statics", "zone_finder", "plan_of_case", "_inside")


@dataclass(frozen=True, eq=False, repr=False)
class Setup:
    """Bone with its fracture, supports and load, meshed; nothing is solved.

    Attributes
    ----------
    case : Case
        With what was fitted to the bone, such as the tilt of a fracture that passes between joint and foramina.
    asked : Case
        As it was given.
    mesh : TetMesh
        Cut and split along the fracture.
    landmarks : Landmarks
    space : Space
        Displacements on the mesh.
    bone : Bone
        Moduli without cement, density, pores, cortex, lesion.
    gap_law : GapLaw
        Of the unfilled gap.
    loading : Loading
    supports : Supports
    notes : tuple of str
        What a reader of any result has to know of the specimen.
    own_mesh : bool
        Whether the mesh was given in place of the case's.
    extra : tuple of Part
        Parts in scikit-fem forms of the user's own.
    further : mapping of str to Loading
        Load cases of ``[[loads]]`` by name, solved beside the first.
    """

    case: Case
    asked: Case
    mesh: TetMesh
    landmarks: Landmarks
    space: Space
    bone: Bone
    gap_law: GapLaw
    loading: Loading
    supports: Supports
    notes: tuple[str, ...]
    own_mesh: bool = field(default=False)
    extra: tuple[Part, ...] = field(default=())
    further: Mapping[str, Loading] = field(default_factory=dict)

    def __repr__(self) -> str:
        faces = len(self.space.gap.areas)
        return f"{type(self).__name__}({self.case.name!r}: {len(self.mesh.tets)} tets, {faces} faces of fracture)"

    # ------------------------------------------------------------------ what it is made of
    @property
    def lesion(self) -> Lesion | None:
        """The lesion, where there is one."""
        return self.bone.lesion

    @cached_property
    def _inside(self) -> Distance | None:
        """Signed distance of the bone, where it is known: planners ask it."""
        return None if self.own_mesh else case_anatomy(self.asked).inside

    @cached_property
    def site(self) -> Site:
        """What every plan of cement is placed into."""
        return Site(self.mesh, self.space, self.landmarks, self._inside, self.bone.pores, self.bone.lesion_fraction)

    @property
    def parts(self) -> tuple[Part, ...]:
        """All that is added to the bone but the gap: cortex, supports, load, and parts of the user's own."""
        return self.bone.cortex, *self.supports, NodalForces(self.loading.force), *self.extra

    @cached_property
    def statics(self) -> Statics:
        """Its equilibrium, with the solver of its case."""
        solver = self.case.solver
        return Statics(
            self.space,
            self.parts,
            SolverSettings(
                method="direct" if solver.method == "direct" else "auto",
                tolerance=solver.tolerance,
                factorisation=solver.factorisation,
                memory_gib=solver.memory_gib,
                assembly=solver.assembly,
            ),
        )

    @cached_property
    def zone_finder(self) -> ZoneFinder:
        """Where stress, strain and motion are measured, whatever the plan."""
        cortex = self.bone.cortex
        return ZoneFinder(
            self.space,
            landmarks=self.landmarks,
            lesion_distance=None if self.lesion is None else partial(border_distance, lesion=self.lesion),
            cortex=(cortex.youngs > 0) & (cortex.thickness > 0),
        )

    def zones(self, plan: Plan | None = None) -> Zones:
        """The measuring zones, fixed by a plan: its cement is left out of them in every state."""
        return self.zone_finder.zones(None if plan is None else plan.reference)

    def without_caches(self) -> Self:
        """The same specimen without what can be found again: what a solution keeps of it."""
        lean = copy.copy(self)
        for name in _CACHES:
            lean.__dict__.pop(name, None)
        return lean

    def with_moduli(self, youngs: FloatArray, poisson: FloatArray | float | None = None, *, word: str = "") -> Self:
        """The same specimen with moduli of one's own; density, pores, cortex and all else stay.

        Parameters
        ----------
        youngs : (m,)
            MPa, one value a tet, without cement.
        poisson
            One ratio or (m,); by default those that it has.
        word
            What they are, such as a law and its source; stands in every result.

        Raises
        ------
        InputError
            Moduli that are none, or not as many as there are tets.
        """
        own = self.bone.elasticity
        bone = checked_elasticity(youngs, own.poisson if poisson is None else poisson, len(own.youngs), word)
        other = copy.copy(self)
        # Of what was found already only the equilibrium asks for moduli.
        other.__dict__.pop("statics", None)
        object.__setattr__(other, "bone", replace(self.bone, elasticity=bone))
        return other

    def under(self, loading: Loading) -> Self:
        """The same specimen under another load: all but that is shared."""
        other = copy.copy(self)
        other.__dict__.pop("statics", None)
        object.__setattr__(other, "loading", loading)
        object.__setattr__(other, "further", {})
        return other

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _CACHES}

    # ------------------------------------------------------------------ states
    def recipe(self, plan: Plan | None = None, *, intact: bool = False) -> Recipe:
        """What a state is made of: see `solve`."""
        bone = self.bone.elasticity
        if intact:
            return intact_recipe(self.space, bone)
        if plan is None:
            return before_recipe(self.space, bone, self.gap_law)
        if plan.coverage.shape != self.space.gap.areas.shape or len(plan.region.fraction) != len(self.mesh.tets):
            raise InputError("was laid on another specimen", field="plan", mend="lay it with this specimen's `plan`")
        return after_recipe(self.space, bone, self.gap_law, plan)

    # ------------------------------------------------------------------ words and numbers
    @property
    def given(self) -> Given:
        """What was given in Python beside the case."""
        forms = tuple(part.name for part in self.extra)
        return Given.of(self.bone.provenance, mesh=self.own_mesh, forms=forms)

    @property
    def mesh_origin(self) -> str:
        """Where the mesh comes from."""
        return "given in Python" if self.own_mesh else mesh_origin(self.case)

    @property
    def mesh_info(self) -> dict[str, float]:
        """Nodes, tets, unknowns, volume and worst quality of the mesh."""
        mesh = self.mesh
        return {
            "nodes": len(mesh.points),
            "tets": len(mesh.tets),
            "dofs": 3 * self.space.n_nodes,
            "volume_ml": float(mesh.volumes.sum()) / 1e3,
            "min_quality": float(element_quality(mesh.points, mesh.tets).min()),
        }
