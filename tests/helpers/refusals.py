"""What every refusal must look like: its status, one line, an empty standard output, and nothing touched."""

import re
from pathlib import Path

from sacrofem.cli import main


def contents(folder):
    """Every file below a folder with its bytes."""
    return {path.relative_to(folder): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def refused(capsys, folder, arguments, *expected, status=2):
    """Run, and check status, the one line with all that is expected of it, and that ``folder`` is as it was."""
    before = contents(folder)
    capsys.readouterr()
    found = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert found == status, err
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    assert "Traceback" not in line
    for text in expected:
        assert text in line, f"{text!r} not in {line!r}"
    assert re.search(r"; \w", line), f"no mend in {line!r}"
    assert contents(folder) == before
    return line
