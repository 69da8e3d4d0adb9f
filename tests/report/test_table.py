import pytest

from sacrofem.mechanics.measures.catalogue import MEASURES
from sacrofem.report.text.table import HEADLINES, change_text, label, number, rows, unit


def test_headlines_are_measures():
    assert set(HEADLINES) <= set(MEASURES)


def test_units_agree_with_the_catalogue():
    for key, measure in MEASURES.items():
        name, factor = unit(key)
        if measure.unit:
            assert (name.replace(" ", "").replace("·", ""), factor) == (measure.unit.replace("·", ""), 1.0), key
        else:
            assert factor != 1.0, key


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0"), (123.456, "123.5"), (0.12345, "0.1235"), (12345.6, "12 346"), (1.5e-5, "1.5e-05"),
     (-2.5, "-2.500"), (99.999, "100.00")],
)  # fmt: skip
def test_number(value, text):
    assert number(value) == text


def test_change_is_relative_or_absolute_or_absent():
    assert change_text("micromotion_mean_um", 100.0, 60.0, -0.4) == "-40.0 %"
    assert change_text("micromotion_mean_um", 0.001, 60.0, None) == "+60.00 µm"
    assert change_text("micromotion_mean_um", None, 60.0, None) == "–"
    assert change_text("pericement_both_max_principal_strain_mean", 0.0, -1e-3, None) == "-1 000 µε"


def test_rows_leave_out_what_does_not_exist():
    before = {"yield_load_n": None, "stiffness_n_per_mm": 200.0, "micromotion_max_um": 5.0}
    after = {"yield_load_n": None, "stiffness_n_per_mm": 210.0, "micromotion_max_um": 4.0}
    change = {"stiffness_n_per_mm": 0.05, "micromotion_max_um": -0.2, "yield_load_n": None}
    (row,) = rows(before, after, change, {"stiffness_n_per_mm": 300.0})
    assert (row.label, row.unit, row.intact, row.before, row.after, row.change) == (
        "Stiffness", "N/mm", "300.0", "200.0", "210.0", "+5.0 %",
    )  # fmt: skip
    every = rows(before, after, change, headlines_only=False)
    assert [r.key for r in every] == ["stiffness_n_per_mm", "micromotion_max_um"]
    assert every[1].label == label("micromotion_max_um") == "Micromotion, maximum"
