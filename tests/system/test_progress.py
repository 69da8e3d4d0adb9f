import io

import pytest
from rich.console import Console

from sacrofem.system.progress import Stages


def test_silent_when_piped(capsys):
    with Stages() as stages:
        stages("mesh")
    assert capsys.readouterr() == ("", "")


def test_stages_and_times_on_a_terminal():
    page = io.StringIO()
    with Stages(Console(file=page, force_terminal=True, width=80)) as stages:
        stages("mesh")
        stages("solving before")
    text = page.getvalue()
    assert "✓" in text
    assert "mesh" in text
    assert "solving before" in text
    assert "0:00:00" in text


def test_a_failed_stage_is_not_ticked():
    page = io.StringIO()
    console = Console(file=page, force_terminal=True, width=80)
    with pytest.raises(ValueError, match="no"), Stages(console) as stages:  # noqa: PT012
        stages("mesh")
        raise ValueError("no")
    assert "✓" not in page.getvalue()
