import io
import logging
import subprocess
import sys
import threading

import pytest
from rich.console import Console

from sacrofem.system.progress import LOGGER, Counter, Stages, scenarios, stage, stages_of


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def _terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", _Terminal())
    return sys.stderr


# ---------------------------------------------------------------------- what the library says
def test_a_stage_is_a_record_at_info(caplog):
    with caplog.at_level(logging.INFO, logger="sacrofem"):
        stage("mesh")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("sacrofem", logging.INFO)
    assert (record.getMessage(), record.stage) == ("mesh", "mesh")


def test_scenarios_are_a_record_with_their_numbers(caplog):
    with caplog.at_level(logging.INFO, logger="sacrofem"):
        scenarios(12, 3, 1)
    (record,) = caplog.records
    assert record.scenarios == (12, 3, 1)
    assert record.getMessage() == "4 of 12 scenarios, 1 failed"


def test_a_text_with_a_percent_sign_is_told_as_it_is(caplog):
    with caplog.at_level(logging.INFO, logger="sacrofem"):
        stage("writing 100%s")
    assert caplog.messages == ["writing 100%s"]


def test_stages_of_something_carry_its_name(caplog):
    with caplog.at_level(logging.INFO, logger="sacrofem"):
        with stages_of("coarse"):
            stage("mesh")
            with stages_of("left"):
                stage("bone")
        stage("measuring")
    assert [record.stage for record in caplog.records] == ["coarse: mesh", "coarse: left: bone", "measuring"]


def test_what_a_stage_consists_of_can_be_told_more_quietly(caplog):
    with caplog.at_level(logging.DEBUG, logger="sacrofem"):
        stage("filler 10 MPa")
        with stages_of("filler 10 MPa", logging.DEBUG), stages_of("coarse"):
            stage("mesh")
    assert [(record.levelname, record.stage) for record in caplog.records] == [
        ("INFO", "filler 10 MPa"),
        ("DEBUG", "filler 10 MPa: coarse: mesh"),
    ]


def test_a_name_ends_with_its_block_even_if_that_fails(caplog):
    with pytest.raises(ValueError, match="no"), stages_of("coarse"):
        raise ValueError("no")
    with caplog.at_level(logging.INFO, logger="sacrofem"):
        stage("mesh")
    assert caplog.messages == ["mesh"]


def test_names_belong_to_the_thread_that_gave_them(caplog):
    with caplog.at_level(logging.INFO, logger="sacrofem"), stages_of("coarse"):
        other = threading.Thread(target=stage, args=("mesh",))
        other.start()
        other.join()
    assert caplog.messages == ["mesh"]


def test_the_library_has_no_handler_that_prints(capsys):
    assert [type(handler) for handler in LOGGER.handlers] == [logging.NullHandler]
    stage("mesh")
    LOGGER.warning("nobody listens")
    assert capsys.readouterr() == ("", "")


def test_a_user_of_the_library_sees_stages():
    code = "\n".join(
        (
            "import logging",
            "import sacrofem",
            "logging.basicConfig(level=logging.INFO, format='%(name)s: %(message)s')",
            "sacrofem.Specimen(sacrofem.Case.preset('sif-unilateral').with_(mesh__reference='tiny'))",
        )
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == ""
    assert run.stderr.splitlines() == [f"sacrofem: {name}" for name in ("mesh", "bone", "loads and supports")]


# ---------------------------------------------------------------------- what a terminal shows
def test_silent_when_piped(capsys):
    with Stages():
        stage("mesh")
    with Counter():
        scenarios(2, 1, 0)
    assert capsys.readouterr() == ("", "")


def test_stages_and_times_on_a_terminal():
    page = io.StringIO()
    with Stages(Console(file=page, force_terminal=True, width=80)):
        stage("mesh")
        stage("solving before")
        scenarios(2, 1, 0)
    text = page.getvalue()
    assert "✓" in text
    assert "mesh" in text
    assert "solving before" in text
    assert "0:00:00" in text
    assert "scenarios" not in text


def test_a_failed_stage_is_not_ticked():
    page = io.StringIO()
    console = Console(file=page, force_terminal=True, width=80)
    with pytest.raises(ValueError, match="no"), Stages(console):  # noqa: PT012
        stage("mesh")
        raise ValueError("no")
    assert "✓" not in page.getvalue()


def test_scenarios_are_one_line_that_is_written_over(monkeypatch):
    page = _terminal(monkeypatch)
    with Counter():
        stage("mesh")
        scenarios(4, 1, 0)
        scenarios(4, 2, 1)
    before, last = page.getvalue().split("\r\x1b[2K")[1:]
    assert before == "1 of 4 scenarios, 0 failed"
    assert last.startswith("3 of 4 scenarios, 1 failed; ")
    assert last.endswith(" left\n")


def test_a_counter_that_counted_nothing_leaves_no_line(monkeypatch):
    page = _terminal(monkeypatch)
    with Counter():
        stage("mesh")
    assert page.getvalue() == ""


@pytest.mark.parametrize("handler", [Stages, Counter])
def test_a_handler_goes_with_its_block_and_the_level_with_it(handler, monkeypatch):
    _terminal(monkeypatch)
    before, level = list(LOGGER.handlers), LOGGER.level
    with pytest.raises(ValueError, match="no"), handler() as shown:  # noqa: PT012
        assert shown in LOGGER.handlers
        assert LOGGER.isEnabledFor(logging.INFO)
        raise ValueError("no")
    assert (list(LOGGER.handlers), LOGGER.level) == (before, level)


def test_a_terminal_leaves_records_to_other_handlers(caplog):
    with caplog.at_level(logging.INFO), Stages(Console(file=io.StringIO(), force_terminal=True)):
        stage("mesh")
    assert caplog.messages == ["mesh"]


def test_what_is_told_quietly_is_not_drawn():
    page = io.StringIO()
    with Stages(Console(file=page, force_terminal=True, width=80)):
        stage("filler 10 MPa")
        with stages_of("run", logging.DEBUG):
            stage("bone")
    assert "filler" in page.getvalue()
    assert "bone" not in page.getvalue()
