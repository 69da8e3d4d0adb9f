"""A specimen: bone with its fracture, supports and load, meshed; what a laboratory would clamp. Nothing is solved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sacrofem.anatomy.solid import Landmarks
from sacrofem.case.case import MAIN_LOAD, Case
from sacrofem.case.cement import Cement
from sacrofem.case.section import Section
from sacrofem.case.unused import unused_specimen_keys
from sacrofem.errors import InputError
from sacrofem.mechanics.equilibrium.kernels import warm_up
from sacrofem.mechanics.linear.factors import check_installed
from sacrofem.mechanics.parts.part import Part, total_force
from sacrofem.mesh.quality import check_mesh
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.specimen.anatomy import case_anatomy, fitted
from sacrofem.specimen.build import (
    build_bone,
    build_gap_law,
    build_loading,
    build_mesh,
    build_space,
    build_supports,
    check_nothing_floats,
    check_sets,
)
from sacrofem.specimen.cement import cement_of
from sacrofem.specimen.comparison import Comparison
from sacrofem.specimen.plan import Plan, cement_filler, lay
from sacrofem.specimen.setup import Setup
from sacrofem.specimen.solution import Solution
from sacrofem.specimen.sweep import Sweep
from sacrofem.system.progress import stage
from sacrofem.system.threads import threads

# A plan may differ from the specimen's case in these; all else is the specimen.
_OF_A_PLAN = ("cement", "name", "solver", "safety")


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Specimen(Setup):
    """Bone with its fracture, supports and load, meshed; nothing is solved.

    Parameters
    ----------
    case : Case
    mesh : TetMesh, optional
        A mesh of one's own in place of the case's, fractured already, with its sets (``endplate``,
        ``auricular_left``, ``auricular_right``, ``outer``).
    landmarks : Landmarks, optional
        Of that mesh; density map, needles, ligaments and load follow them.
    extra : sequence of Part, optional
        Stiffness and loads of the user's own, such as `FormPart` in scikit-fem forms, added in every state.

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

    Raises
    ------
    InputError
        Naming field, value and mend.
    """

    def __init__(
        self,
        case: Case,
        *,
        mesh: TetMesh | None = None,
        landmarks: Landmarks | None = None,
        extra: Sequence[Part] = (),
    ) -> None:
        with threads(case.solver.threads):
            self._build(case, mesh, landmarks, tuple(extra))

    def _build(self, asked: Case, mesh: TetMesh | None, landmarks: Landmarks | None, extra: tuple[Part, ...]) -> None:
        check_installed(asked.solver.factorisation)
        if asked.anatomy.kind in ("surface", "labels") and mesh is None:
            stage("landmarks")
        anatomy = case_anatomy(asked)
        stage("mesh")
        case, notes = asked, [*asked.translations, *unused_specimen_keys(asked)]
        own_mesh, own_landmarks = mesh is not None, landmarks is not None
        landmarks = anatomy.landmarks if landmarks is None else landmarks
        if mesh is None:
            case, moved = fitted(asked, landmarks)
            mesh, more = build_mesh(case, anatomy.solid, landmarks)
            notes += [*anatomy.notes, *moved, *more]
        else:
            check_mesh(mesh)
            if not own_landmarks:
                notes.append("landmarks are those of the built-in sacrum: density map, needles and load follow them")
        check_sets(case, mesh)
        space, more = build_space(case, mesh)
        notes += more
        stage("bone")
        bone, more = build_bone(case, mesh, landmarks, anatomy.frame)
        notes += more
        law = build_gap_law(case, cement_filler(cement_of(case)))
        stage("loads and supports")
        loading, more = build_loading(case, space, landmarks)
        notes += more
        further = {}
        for load in case.loads:
            further[load.name], more = build_loading(case, space, landmarks, load)
            notes += [f"load {load.name}: {note}" for note in more]
        supports = build_supports(case, space, landmarks, loading.load)
        check_nothing_floats(space, (*supports, *extra), law, bone.elasticity)
        parts = {
            "case": case, "asked": asked, "mesh": mesh, "landmarks": landmarks, "space": space, "bone": bone,
            "gap_law": law, "loading": loading, "supports": supports, "notes": tuple(notes),
            "own_mesh": own_mesh, "extra": extra, "further": further,
        }  # fmt: skip
        for name, part in parts.items():
            object.__setattr__(self, name, part)
        if not own_mesh:
            # Kept while this specimen lives; a copy finds it again from the case.
            self.__dict__["_inside"] = anatomy.inside

    # ------------------------------------------------------------------ plans
    def plan(self, cement: Cement | None = None, /, **changes: Any) -> Plan:
        """Lay cement on the specimen.

        Parameters
        ----------
        cement
            A section: the keys that it is given are laid over those of the specimen's case.
        **changes
            Keys of the section, changed in it: ``volume_ml=2.0``.

        Raises
        ------
        InputError
            A key or value is refused, a needle misses the bone, or there is no room for the volume.
        """
        if cement is None and not changes:
            return self.plan_of_case
        case = self.case if cement is None else self._case_with(cement)
        if changes:
            case = case.with_(**{f"cement.{key.replace('__', '.')}": value for key, value in changes.items()})
        return self._lay(case)

    @cached_property
    def plan_of_case(self) -> Plan:
        """The plan of the specimen's own case."""
        return self._lay(self.case)

    def plan_of(self, case: Case) -> Plan:
        """Lay the cement of another case, which differs in ``cement``, ``name``, ``solver`` and ``safety`` only.

        Raises
        ------
        InputError
            The cases differ in something else, or the plan cannot be placed.
        """
        for name in vars(case):
            if name not in _OF_A_PLAN and getattr(case, name) not in (
                getattr(self.asked, name),
                getattr(self.case, name),
            ):
                raise InputError(
                    "differs between the plans", field=name, mend="plans of one specimen may differ in `cement` only"
                )
        if case in (self.asked, self.case):
            return self.plan_of_case
        sections = {name: part for name, part in vars(self.case).items() if isinstance(part, Section)}
        return self._lay(case.with_(**{name: part for name, part in sections.items() if name not in _OF_A_PLAN}))

    def _case_with(self, cement: Cement) -> Case:
        return self.case.with_(cement=cement)

    def _lay(self, case: Case) -> Plan:
        if self.case.fracture.filler == "cement" and cement_of(case) != cement_of(self.case):
            raise InputError(
                "differs between the plans, and the unfilled gap takes its modulus from it",
                field="cement.material",
                value=case.cement.material,
                mend="give the same in all plans, or another fracture.filler",
            )
        stage("cement")
        with threads(self.case.solver.threads):
            return lay(case, self.site)

    # ------------------------------------------------------------------ solving
    def solve(self, plan: Plan | None = None, *, intact: bool = False) -> Solution:
        """Solve one state under the load case of ``[load]``; `solve_loads` takes those of ``[[loads]]`` too.

        Parameters
        ----------
        plan
            With cement; without a plan the state before cement.
        intact
            The unbroken bone: the same mesh, twin faces tied.

        Raises
        ------
        SolverError
            The solve failed or did not balance.
        """
        recipe = self.recipe(plan, intact=intact)
        stage("kernels (compiled once, 10 s)")
        with threads(self.case.solver.threads):
            warm_up()
            stage(f"solving {recipe.name}")
            bone, bonded = recipe.bone, None
            if recipe.contact is None:
                solved = self.statics.solve(
                    recipe.name, bone, recipe.gap, fraction=recipe.fraction,
                    coverage=recipe.coverage,
                )  # fmt: skip
            else:
                if recipe.bonded is not None:
                    bonded = self.statics.solve(
                        recipe.name, bone, recipe.bonded, fraction=recipe.fraction,
                        coverage=recipe.coverage,
                    )  # fmt: skip
                stage(f"solving {recipe.name}, contact")
                solved = self.statics.solve(
                    recipe.name, bone, recipe.gap, fraction=recipe.fraction,
                    coverage=recipe.coverage, contact=recipe.contact, start=bonded,
                )  # fmt: skip
        return Solution(self.without_caches(), plan, solved, bonded)

    def solve_loads(self, plan: Plan | None = None, *, intact: bool = False) -> dict[str, Solution]:
        """Solve one state under all load cases: those of ``[load]``, called ``load``, and of ``[[loads]]``.

        Where nothing is in contact they are right sides of one matrix, factorised or preconditioned once.

        Parameters
        ----------
        plan, intact
            As for `solve`.

        Returns
        -------
        dict of str to Solution
            By name; each solution's specimen has its own load.

        Raises
        ------
        SolverError
            A solve failed or did not balance.
        """
        recipe = self.recipe(plan, intact=intact)
        under = {MAIN_LOAD: self, **{name: self.under(loading) for name, loading in self.further.items()}}
        if recipe.contact is not None or not self.further:
            return {name: one.solve(plan, intact=intact) for name, one in under.items()}
        stage("kernels (compiled once, 10 s)")
        with threads(self.case.solver.threads):
            warm_up()
            stage(f"solving {recipe.name}, {len(under)} loads")
            forces = [total_force(one.parts, self.space) for one in under.values()]
            solved = self.statics.solve_all(
                recipe.name, recipe.bone, recipe.gap, forces, fraction=recipe.fraction, coverage=recipe.coverage
            )
            return {
                name: Solution(one.without_caches(), plan, record)
                for (name, one), record in zip(under.items(), solved, strict=True)
            }

    def sweep(self, plans: Iterable[Cement | Plan], *, common_zones: bool = False) -> Iterator[Comparison]:
        """Compare many plans with the state before cement, which is solved once.

        Parameters
        ----------
        plans
            Sections of cement, or plans laid already.
        common_zones
            Measure them in one zone common to all plans as well (`Comparison.common_zones`).

        Yields
        ------
        Comparison
            In the order of the plans.
        """
        laid = [plan if isinstance(plan, Plan) else self.plan(plan) for plan in plans]
        return Sweep(self, laid, self.solve(), common_zones=common_zones).solve()
