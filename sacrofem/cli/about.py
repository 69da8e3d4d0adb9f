"""`init`, `info` and `verify`: the package itself."""

from __future__ import annotations

from pathlib import Path

from sacrofem.cli.app import CLAIM, app
from sacrofem.cli.common import print_json, show
from sacrofem.errors import BaselineError, InputError
from sacrofem.system.version import VERSION


@app.command
def init(path: Path = Path("case.toml"), /, *, preset: str | None = None, json: bool = False) -> int:
    """Write a case file with every key explained; never over an existing file.

    Parameters
    ----------
    path
        File to write.
    preset
        Case to start from.
    json
        One JSON object to standard output.
    """
    from sacrofem.case.case import Case
    from sacrofem.case.presets import DEFAULT_PRESET, PRESETS
    from sacrofem.system.files import replace_file

    name = preset or DEFAULT_PRESET
    case = Case.preset(name)
    about = PRESETS[name]
    head = f"# {about.title[0].upper()}{about.title[1:]}.\n# {about.source}\n# {CLAIM}\n\n"
    try:
        path.open("x").close()
    except FileExistsError:
        raise InputError("exists already", field="path", value=str(path), mend="name another file") from None
    except OSError as error:
        problem = f"cannot be written ({error.strerror})"
        raise InputError(problem, field="path", value=str(path), mend="name another place") from None
    try:
        replace_file(path, head + case.to_toml(comments=True))
    except BaseException:
        path.unlink()
        raise
    if json:
        print_json({"file": str(path), "preset": name})
    else:
        print(f"written: {path} (run it with: sacrofem compare {path})")
    return 0


@app.command
def info(*, json: bool = False) -> int:
    """Print versions, threads, presets, loads and density laws with their sources.

    Parameters
    ----------
    json
        One JSON object to standard output.
    """
    from sacrofem.report.text.about import about, lines

    content = about()
    if json:
        print_json(content)
    else:
        show(f"sacrofem {VERSION}. {CLAIM}", *lines(content))
    return 0


@app.command
def verify(*, update: bool = False, reason: str | None = None, json: bool = False) -> int:
    """Rerun the reference cases and compare with the stored baselines.

    Parameters
    ----------
    update
        Store today's values as the new baselines; in a checkout only.
    reason
        Why they change; logged with the old and the new values.
    json
        One JSON object to standard output.
    """
    if update and not (reason or "").strip():
        raise InputError("a changed baseline needs one", field="--reason", value=reason, mend="add --reason TEXT")
    if reason is not None and not update:
        raise InputError("only a change has one", field="--reason", value=reason, mend="add --update or leave it out")
    from sacrofem.system.progress import Stages, stage

    with Stages():
        stage("rerunning the reference cases")
        from sacrofem.study.regression import run as rerun

        differences = [str(difference) for difference in rerun(update, reason)]
    if json:
        print_json({"updated": update, "differences": differences})
    else:
        for text in differences:
            print(text)
        if update:
            print(f"baselines stored, {len(differences)} values changed" if differences else "no baseline changes")
        elif not differences:
            print("all baselines reproduced")
    if differences and not update:
        raise BaselineError(f"{len(differences)} measures differ from their baselines")
    return 0
