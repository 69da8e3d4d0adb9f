import pytest

from sacrofem.report.text.bands import no_headline, plus_minus, points, sentences, span, unconverged
from sacrofem.report.text.table import HEADLINES, left_out, rows

BEFORE = {"slip_mean_um": 200.0, "stiffness_n_per_mm": 300.0, "reaction_share_ligaments": 0.01}
AFTER = {"slip_mean_um": 80.0, "stiffness_n_per_mm": 330.0, "reaction_share_ligaments": -0.02}
CHANGE = {"slip_mean_um": -0.6, "stiffness_n_per_mm": 0.1, "reaction_share_ligaments": None}
BAND = {
    "slip_mean_um": {"before": [188.0, 212.0], "after": [70.0, 90.0], "change": [-0.6041, -0.5959], "unconverged": []},
    "stiffness_n_per_mm": {"before": [1, 599], "after": [0, 660], "change": [-1, 1.2], "unconverged": ["change"]},
    "reaction_share_ligaments": {"before": [0, 0.02], "after": [-0.1, 0.06], "change": None, "unconverged": ["after"]},
}


@pytest.mark.parametrize(
    ("half", "factor", "text"),
    [(None, 1.0, ""), (0.0, 1.0, "±0"), (18.52, 1.0, "±19"), (0.00979, 1.0, "±0.0098"), (1.29e-3, 1e6, "±1300"),
     (0.3, 1.0, "±0.30"), (9.95, 1.0, "±10.0")],
)  # fmt: skip
def test_half_widths_are_rounded_up_to_two_digits(half, factor, text):
    assert plus_minus(half, factor) == text


@pytest.mark.parametrize(
    ("half", "text"), [(None, ""), (0.0, "±0.0"), (0.0001, "±0.1"), (0.003, "±0.3"), (0.0041, "±0.5"), (0.266, "±27")]
)
def test_percentage_points_are_rounded_up(half, text):
    assert points(half) == text


def test_a_range_in_per_cent():
    assert span([-0.829, 0.0058]) == "-83 to +1 %"
    assert span(None) == ""


def test_a_headline_carries_its_band_and_its_range():
    (row,) = rows(BEFORE, AFTER, CHANGE, mesh_band=BAND, input_range={"slip_mean_um": {"change": [-0.9, 0.1]}})
    assert (row.key, row.banded_change, row.inputs) == ("slip_mean_um", "-60.0 % (±0.5)", "-90 to +10 %")
    assert (row.before, row.before_band, row.after_band) == ("200.0", "±12", "±10")


def test_what_does_not_converge_is_no_headline_and_is_marked_elsewhere():
    assert left_out(BEFORE, BAND) == [HEADLINES["stiffness_n_per_mm"], HEADLINES["reaction_share_ligaments"]]
    every = {row.key: row for row in rows(BEFORE, AFTER, CHANGE, headlines_only=False, mesh_band=BAND)}
    assert every["stiffness_n_per_mm"].banded_change == "+10.0 % (not converged)"
    assert every["stiffness_n_per_mm"].before == "300.0"
    # An absolute change is the difference of two values: it settles only if both do.
    assert no_headline(BAND, "reaction_share_ligaments")
    assert not unconverged(BAND, "reaction_share_ligaments", "change")


def test_a_value_that_does_not_converge_is_not_printed_beside_a_change_that_does():
    band = {"slip_mean_um": {**BAND["slip_mean_um"], "unconverged": ["before"]}}
    row = rows(BEFORE, AFTER, CHANGE, mesh_band=band)[0]
    assert (row.before, row.after, row.change) == ("not converged", "80.00", "-60.0 %")


def test_without_bands_the_table_is_as_it_was():
    assert [row.banded_change for row in rows(BEFORE, AFTER, CHANGE)] == ["-60.0 %", "+10.0 %", "-3.000 %"]
    assert left_out(BEFORE, None) == []


def test_sentences_say_where_a_band_comes_from_or_that_there_is_none():
    assert sentences({}) == ["Mesh band: not computed.", "Input range: not computed."]
    assert "--band" in sentences({}, hints=True)[0]
    about = {"source": "shipped", "meshes": [{"name": "a", "size_mm": 4.36}, {"name": "b", "size_mm": 2.6}]}
    assert (
        sentences({"mesh_band": about})[0]
        == "Mesh band (±): from the meshes a (4.4 mm), b (2.6 mm), shipped with sacrofem."
    )
