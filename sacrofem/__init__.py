"""What cement does to a fractured sacrum: finite-element comparison before and after sacroplasty."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sacrofem.system.version import VERSION

if TYPE_CHECKING:
    from sacrofem.bone.laws import DensityLaw
    from sacrofem.case.anatomy import Anatomy
    from sacrofem.case.case import Case
    from sacrofem.case.cement import Cement, FlowSection, InjectionSection, Spot
    from sacrofem.case.fracture import Fracture, FracturePlane
    from sacrofem.case.problems import CaseError
    from sacrofem.case.sections import (
        LesionSection,
        LoadCase,
        Materials,
        Mesh,
        NamedLoad,
        SafetySection,
        SolverSection,
    )
    from sacrofem.case.supports import JointSection, LigamentsSection, SupportsSection
    from sacrofem.errors import (
        BaselineError,
        EnvironmentFailure,
        InputError,
        SacrofemError,
        SacrofemWarning,
        SafetyError,
        SolverError,
    )
    from sacrofem.mechanics.parts.form import FormPart
    from sacrofem.mesh.files.files import read_mesh, reference_mesh, write_mesh
    from sacrofem.mesh.tetmesh import TetMesh
    from sacrofem.specimen.body import Body, BodySolution
    from sacrofem.specimen.compare import compare, compare_plans
    from sacrofem.specimen.comparison import Compared, Comparison
    from sacrofem.specimen.fields import HasFields
    from sacrofem.specimen.plan import Plan
    from sacrofem.specimen.solution import Solution
    from sacrofem.specimen.specimen import Specimen
    from sacrofem.study.bands import with_bands
    from sacrofem.study.convergence import converge
    from sacrofem.study.inputs import input_range


__version__ = VERSION

_HOMES = {
    "Case": "case.case",
    "Anatomy": "case.anatomy",
    "Mesh": "case.sections",
    "Fracture": "case.fracture",
    "FracturePlane": "case.fracture",
    "LesionSection": "case.sections",
    "Materials": "case.sections",
    "Cement": "case.cement",
    "FlowSection": "case.cement",
    "InjectionSection": "case.cement",
    "Spot": "case.cement",
    "SupportsSection": "case.supports",
    "JointSection": "case.supports",
    "LigamentsSection": "case.supports",
    "LoadCase": "case.sections",
    "NamedLoad": "case.sections",
    "SolverSection": "case.sections",
    "SafetySection": "case.sections",
    "CaseError": "case.problems",
    "Body": "specimen.body",
    "BodySolution": "specimen.body",
    "FormPart": "mechanics.parts.form",
    "DensityLaw": "bone.laws",
    "Comparison": "specimen.comparison",
    "Compared": "specimen.comparison",
    "HasFields": "specimen.fields",
    "Plan": "specimen.plan",
    "Solution": "specimen.solution",
    "Specimen": "specimen.specimen",
    "compare": "specimen.compare",
    "compare_plans": "specimen.compare",
    "BaselineError": "errors",
    "EnvironmentFailure": "errors",
    "InputError": "errors",
    "SacrofemError": "errors",
    "SacrofemWarning": "errors",
    "SafetyError": "errors",
    "SolverError": "errors",
    "TetMesh": "mesh.tetmesh",
    "read_mesh": "mesh.files.files",
    "converge": "study.convergence",
    "input_range": "study.inputs",
    "reference_mesh": "mesh.files.files",
    "with_bands": "study.bands",
    "write_mesh": "mesh.files.files",
}

__all__ = [  # noqa: RUF022 - what a reader needs first comes first
    "Case",
    "Anatomy",
    "Mesh",
    "Fracture",
    "FracturePlane",
    "LesionSection",
    "Materials",
    "Cement",
    "FlowSection",
    "InjectionSection",
    "Spot",
    "SupportsSection",
    "JointSection",
    "LigamentsSection",
    "LoadCase",
    "NamedLoad",
    "SolverSection",
    "SafetySection",
    "Specimen",
    "Plan",
    "Solution",
    "Comparison",
    "Compared",
    "HasFields",
    "compare",
    "compare_plans",
    "Body",
    "BodySolution",
    "FormPart",
    "DensityLaw",
    "with_bands",
    "converge",
    "input_range",
    "TetMesh",
    "read_mesh",
    "reference_mesh",
    "write_mesh",
    "SacrofemError",
    "InputError",
    "CaseError",
    "SolverError",
    "SafetyError",
    "BaselineError",
    "EnvironmentFailure",
    "SacrofemWarning",
    "__version__",
]


def __getattr__(name: str) -> object:
    # Lazy, so that `import sacrofem` and `sacrofem --help` cost no numpy.
    if name not in _HOMES:
        raise AttributeError(f"module 'sacrofem' has no attribute {name!r}")
    value = getattr(import_module(f"sacrofem.{_HOMES[name]}"), name)
    if _HOMES[name].startswith("specimen."):
        # Results know no report; whoever takes them from here can draw and save them.
        import_module("sacrofem.report.show")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
