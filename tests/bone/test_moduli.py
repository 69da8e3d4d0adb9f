"""Moduli go to a file and come back to the last bit; a table that does not fit the mesh is refused."""

import hashlib

import numpy as np
import pytest
from modulitable import write_moduli

from sacrofem.bone.moduli import read_moduli
from sacrofem.errors import InputError


def test_moduli_come_back_to_the_last_bit_in_any_order(tmp_path):
    youngs = np.exp(np.random.default_rng(0).normal(5.0, 2.0, 50))
    write_moduli(tmp_path / "e.csv", youngs)
    table = read_moduli(tmp_path / "e.csv", 50)
    np.testing.assert_array_equal(table.youngs, youngs)
    digest = hashlib.sha256((tmp_path / "e.csv").read_bytes()).hexdigest()
    assert table.provenance.text == f"moduli of e.csv, sha256 {digest}; no law and no floor"
    head, *rows = (tmp_path / "e.csv").read_text().splitlines()
    (tmp_path / "r.csv").write_text("\n".join([head, *reversed(rows), ""]))
    again = read_moduli(tmp_path / "r.csv", 50)
    np.testing.assert_array_equal(again.youngs, youngs)
    assert again.provenance.sha256 != digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "another header"),
        ("e,E\n0,1\n", "another header"),
        ("element,youngs_mpa\n0,10\n", "1 of 2 elements have no modulus, the first is 1"),
        ("element,youngs_mpa\n0,10\n0,11\n", "line 3 gives an element twice"),
        ("element,youngs_mpa\n0,10\n2,11\n", "line 3 is no element below 2"),
        ("element,youngs_mpa\n0,-1\n1,5\n", "line 2 is no element"),
        ("element,youngs_mpa\n0,nan\n1,5\n", "line 2 is no element"),
        ("element,youngs_mpa\n0,1,2\n1,5\n", "line 2 is no element"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, text, message):
    (tmp_path / "e.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_moduli(tmp_path / "e.csv", 2)


def test_a_missing_table_and_bytes_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_moduli(tmp_path / "e.csv", 2)
    (tmp_path / "e.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is no text"):
        read_moduli(tmp_path / "e.csv", 2)
