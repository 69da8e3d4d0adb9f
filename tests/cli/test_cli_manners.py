"""How the command line treats who types: completion, near misses, light help, colours."""

import os
import shutil
import subprocess
import sys

import pytest

from sacrofem import cli
from sacrofem.errors import InputError

HEAVY = {"numpy", "scipy", "numba", "skfem", "meshio", "matplotlib", "pydantic"}


def commands():
    found = []
    for name in cli.app:
        if not name.startswith("-"):
            inner = [sub for sub in cli.app[name] if not sub.startswith("-")]
            found += [[name], *([name, sub] for sub in inner)]
    return found


def test_help_of_every_command_imports_nothing_heavy():
    script = (
        "import sys; from sacrofem.cli import main\n"
        f"for words in {commands()!r}:\n"
        "    status = main([*words, '--help'])\n"
        "    if status: sys.exit(f'{words}: {status}')\n"
        f"sys.exit(sorted({HEAVY!r} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(commands()) > 10
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_options_and_choices(shell):
    text = cli.app.generate_completion(shell=shell)
    for word in ("compare", "study", "retry-failed", "stop-at-encroachment", "transiliac"):
        assert word in text, word


def test_completion_is_installed_for_the_shell_that_is_named(tmp_path):
    # Away from the home of who runs the tests.
    environment = os.environ | {"HOME": str(tmp_path), "SHELL": "/bin/bash", "PYTHONPATH": os.pathsep.join(sys.path)}
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "sacrofem", "--install-completion", "--shell", "bash"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    written = [path for path in tmp_path.rglob("*") if path.is_file() and "_sacrofem" in path.read_text()]
    assert len(written) == 1
    if bash := shutil.which("bash"):
        script = (
            f"source '{written[0]}'; COMP_WORDS=(sacrofem comp); COMP_CWORD=1; _sacrofem; echo \"${{COMPREPLY[@]}}\""
        )
        done = subprocess.run([bash, "-c", script], capture_output=True, text=True, check=False, env=environment)
        assert done.stdout.split() == ["compare"], done.stderr


@pytest.mark.parametrize(
    ("words", "guess"),
    [
        (["compar"], '"compare"'),
        (["study", "rnu", "x"], '"run"'),
        (["compare", "--volume", "3"], "--volume-ml"),
        (["compare", "--aproach", "long-axis"], "--approach"),
        (["compare", "--approach", "longaxis"], '"long-axis"'),
        (["compare", "--preset", "sif-unilatral"], "sif-unilateral"),
        (["init", "--preset", "sif_bilateral"], "sif-bilateral"),
        (["deck", "--format", "calculx", "--out", "x.inp"], '"calculix"'),
        (["study", "run", "x.toml", "--out", "y", "--executor", "procesess"], '"processes"'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_near_misses_are_guessed(words, guess, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == InputError.exit_status
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert guess in err
    assert list(tmp_path.iterdir()) == []


def test_a_mistyped_figure_is_guessed():
    from sacrofem.report.figures.comparison import figure_of

    with pytest.raises(InputError, match="did you mean anatomy"):
        figure_of(None, "anatomi")
