from io import StringIO

from rich.console import Console

from sacrofem.report.text.checked import sentences, tables

SUMMARY = {
    "mesh": {"tets": 48, "volume_ml": 213.7, "fracture_area_mm2": 3434.0},
    "bone": {"median_modulus_mpa": 43.65, "modulus": "by a law"},
    "cement": {"placed_ml": 4.1, "clearance_mm": {"canal": 26.97, "S1_left": 7.167}},
    "safety": {
        "violated": False,
        "encroached": [],
        "first_reached": None,
        "needles": [{"outside_mm": 0.0, "clearance_mm": {"canal": 26.04, "anterior": 9.8}, "crosses": ["S1_left"]}],
    },
    "load": {"force_n": [0.0, -0.5, -700.0]},
    "warnings": {"1": "read this"},
}


def page(summary):
    console = Console(file=StringIO(), width=100, force_terminal=False)
    for table in tables(summary):
        console.print(table)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines() if line.strip()]


def test_every_number_stands_in_a_table_with_its_unit():
    lines = page(SUMMARY)
    for line in (
        "mesh tets 48", "mesh fracture area / mm² 3 434", "bone median modulus / MPa 43.65", "cement placed / ml 4.100",
        "safety violated no", "safety encroached none", "safety first reached –", "safety needle 1 outside / mm 0",
        "safety needle 1 crosses S1_left", "load force / N 0, -0.5000, -700.0",
        "clearance / mm cement needle 1", "canal 26.97 26.04", "S1 left 7.167 –", "anterior – 9.800",
    ):  # fmt: skip
        assert line in lines, line
    assert sentences(SUMMARY) == ["modulus of bone: by a law", "note: read this"]


def test_without_cement_there_are_no_distances():
    assert len(tables({"mesh": {"tets": 48}, "cement": {"placed_ml": 0.0}, "warnings": {}})) == 1
