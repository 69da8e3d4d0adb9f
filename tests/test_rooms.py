"""The house has no circle and no arrow back: of every import, those in functions and for type checkers included."""

import ast
from pathlib import Path

import sacrofem

PACKAGE = Path(sacrofem.__file__).parent
# A room imports only rooms that stand before it.
ORDER = ("system", "anatomy", "case", "mesh", "bone", "cement", "mechanics", "specimen", "study", "report", "cli")


def _module(file):
    return ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def _wanted(tree, package):
    """Dotted names of everything imported, relative imports resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def imports():
    """{module: modules of the package that it imports}; a package counts only where its own names are taken."""
    files = {_module(file): file for file in PACKAGE.rglob("*.py")}
    graph = {}
    for name, file in files.items():
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        found = {w for w in _wanted(ast.parse(file.read_text(encoding="utf-8")), package) if w in files and w != name}
        graph[name] = {f for f in found if not any(other.startswith(f + ".") for other in found)}
    return graph


def circles(graph):
    """Nodes that can reach themselves."""

    def reach(start):
        seen, todo = set(), list(graph[start])
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo += graph[node]
        return seen

    return sorted(node for node in graph if node in reach(node))


def folder(module):
    """The folder of a module, relative to the package."""
    file = PACKAGE.parent.joinpath(*module.split("."))
    place = file if file.is_dir() else file.parent
    return place.relative_to(PACKAGE).as_posix()


# The package itself hands out names of every room, lazily and for type checkers: nothing may import it.
GRAPH = {name: used for name, used in imports().items() if name != "sacrofem"}


def test_nothing_imports_the_package_itself_but_its_start():
    assert {name for name, used in GRAPH.items() if "sacrofem" in used} == set()


def test_no_module_is_in_a_circle():
    assert circles(GRAPH) == []


def test_no_folder_is_in_a_circle():
    rooms = {}
    for name, used in GRAPH.items():
        rooms.setdefault(folder(name), set()).update(folder(u) for u in used if folder(u) != folder(name))
    rooms.setdefault(".", set())
    # Errors are plain and may be named anywhere; they import nothing.
    for used in rooms.values():
        used.discard(".")
    assert circles(rooms) == []


def test_no_arrow_leads_back():
    place = {room: number for number, room in enumerate(ORDER)}
    back = [
        f"{name} imports {used}"
        for name, everything in GRAPH.items()
        for used in everything
        if name.split(".")[1] in place
        and used.split(".")[1] in place
        and place[used.split(".")[1]] > place[name.split(".")[1]]
    ]
    assert back == []


def test_mesh_and_case_do_not_know_each_other():
    assert not [n for n in GRAPH if n.startswith("sacrofem.mesh.") and any(".case." in u for u in GRAPH[n])]
    assert not [n for n in GRAPH if n.startswith("sacrofem.case.") and any("sacrofem.mesh." in u for u in GRAPH[n])]


def test_the_physics_knows_no_case():
    for room in ("anatomy", "mesh", "bone", "cement", "mechanics"):
        for name in (n for n in GRAPH if n.startswith(f"sacrofem.{room}.")):
            assert not [u for u in GRAPH[name] if u.startswith("sacrofem.case.")], name


def test_the_batch_solver_has_one_entrance():
    batch, entrance = "sacrofem.mechanics.batch.", "sacrofem.mechanics.batch.solver"
    users = {name: used for name, used in GRAPH.items() if not name.startswith(batch)}
    for folder_ in ("benchmarks", "studies"):
        for file in (PACKAGE.parent / folder_).rglob("*.py"):
            users[str(file)] = set(_wanted(ast.parse(file.read_text(encoding="utf-8")), ""))
    inside = {name: sorted(u for u in used if (u + ".").startswith(batch)) for name, used in users.items()}
    taken = {u for used in inside.values() for u in used}
    assert entrance in taken
    assert [u for u in taken if not (u + ".").startswith(entrance + ".")] == []


def test_every_module_has_a_room():
    loose = {name.split(".")[1] for name in GRAPH} - {*ORDER, "errors", "__main__"}
    assert loose == set()


def test_scikit_fem_stays_in_mechanics():
    for file in PACKAGE.rglob("*.py"):
        named = _wanted(ast.parse(file.read_text(encoding="utf-8")), "sacrofem")
        if any(name.split(".")[0] == "skfem" for name in named):
            assert file.is_relative_to(PACKAGE / "mechanics"), file


def test_the_search_for_circles_finds_one():
    assert circles({"a": {"b"}, "b": {"a"}, "c": {"a"}}) == ["a", "b"]
    assert circles({"a": {"b"}, "b": set()}) == []
