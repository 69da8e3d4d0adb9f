"""Whatever a case file holds, it gives a case or one short line that says what is wrong."""

import os
import pickle
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sacrofem import Case, InputError
from sacrofem.case.fields import choices, keys, section_in
from sacrofem.case.problems import MOST_DESCRIBED, CaseError
from sacrofem.case.tomlfile import LARGEST_CASE, emit_toml, merged, nested, read_toml
from sacrofem.cli import main
from sacrofem.study.design import read_study


def read(path, text):
    """The case in a text, or the one line in which it is refused, without the name of the file."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    try:
        return Case.from_toml(path)
    except InputError as error:
        line = str(error).replace(str(path), "case.toml")
        assert len(line) < 400, line
        assert "\n" not in line
        assert line.isprintable(), line
        assert line.startswith("case.toml: ")
        return line


HOSTILE = {
    "digits": ("[load]\nforce_n = " + "9" * 5000, "thousands of digits"),
    "hexadecimal": ("[load]\nforce_n = 0x" + "f" * 5000, "<int too large to be shown>"),
    "float": ("[load]\nforce_n = " + "9" * 5000 + ".0", "not a finite number"),
    "lists": ("x = " + "[" * 1200 + "]" * 1200, "nested deeper"),
    "tables": ("x" + ".x" * 1200 + " = 1", "nested deeper"),
    "inline": ("x = " + "{a = " * 1200 + "1" + "}" * 1200, "nested deeper"),
    "headers": ("[" + "a." * 1200 + "a]\n", "nested deeper"),
    "thirty": ("x = " + "[" * 30 + "]" * 30, "nested deeper"),
    "nul": ('[anatomy]\nkind = "mesh"\npath = "a\\u0000b"', "anatomy.path = 'a\\x00b': is no path"),
    "no-path": ('[materials]\nmoduli = ""', "is no path"),
    "long-path": ('[anatomy]\nkind = "mesh"\npath = "' + "x" * 10_000 + '"', "anatomy.path = 'xxx"),
    "preset-list": ("preset = []", "preset = []: no such preset"),
    "preset-table": ("[preset]\na = 1", "no such preset"),
    "preset-long": ('preset = "' + "sif-" * 10_000 + '"', "no such preset"),
    "schema-true": ("schema = true", "schema = True: must be a whole number"),
    "schema-text": ('schema = "1"', "schema = '1': not one of 2"),
    "long-key": ("k" * 10_000 + " = 1", "unknown key"),
    "long-value": ('[load]\nkind = "' + "v" * 10_000 + '"', "load.kind = 'vvv"),
    "escapes": ('[load]\nkind = "' + "\\u200b" * 200 + '"', "load.kind = '\\u200b"),
    "strange-key": ('"\\u200b\\u202e" = 1', "\\u200b\\u202e = 1: unknown key"),
    "order-true": ("[mesh]\norder = true", "mesh.order = True: must be a whole number"),
    "date": ("[load]\nforce_n = 1979-05-27", "must be a number"),
    "set": ('[anatomy.sets]\nfoo = "x"', "anatomy.sets.foo: unknown key; known here are endplate"),
    "landmark": ("[anatomy.landmarks]\npromontry = [1, 2, 3]", "did you mean promontory?"),
    "dimension": ("[anatomy.parameters]\nx = 1", "and 22 more"),
    "double": ("cement__volume_ml = 3.0", "cement__volume_ml = 3.0: unknown key"),
    "needles": ("[cement]\ninjections = 3", "cement.injections = 3: must be a list"),
    "surrogate": (b'name = "\xed\xa0\x80"', "not a text file"),
    "long-table": ("[[x]]\n" * 2 + "[x]", "given twice"),
    "many": ("[load]\n" + "".join(f"k{n} = {n}\n" for n in range(300)), "and 299 more"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(name, tmp_path, capsys):
    text, said = HOSTILE[name]
    path = tmp_path / "case.toml"
    line = read(path, text)
    assert said in line
    assert main(["check", str(path)]) == 2
    out, error = capsys.readouterr()
    assert (out, error) == ("", f"error: {line.replace('case.toml', str(path), 1)}\n")


@pytest.mark.parametrize("content", [None, [], "x", 3, {"load": None}, {1: 2}, {"preset": None}, {"schema": 3.0}])
def test_what_is_no_case_is_refused(content):
    with pytest.raises(InputError) as caught:
        Case.from_dict(content)
    assert len(str(caught.value)) < 120
    if not isinstance(content, dict):
        assert "a case is a table of sections" in str(caught.value)


def test_values_are_cut_and_further_problems_counted(tmp_path):
    line = read(tmp_path / "case.toml", f'name = "{"n" * 300}"\n[load]\nkind = "{"v" * 300}"\n' + "a = 1\nb = 2\n")
    assert line == (
        "case.toml: load.a = 1: unknown key; "
        "known here are kind, force_n, force_vector_n, facet_share, slope_deg, point_mm, moment_n_m "
        "(and 3 more: load.b, name, load.kind)"
    )
    with pytest.raises(CaseError) as caught:
        Case.from_dict({"load": {f"k{n}": n for n in range(300)}})
    assert (caught.value.count, len(caught.value.problems)) == (300, MOST_DESCRIBED)
    assert caught.value.problems[0].field == caught.value.field == "load.k0"
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.count) == (str(caught.value), 300)


@pytest.mark.parametrize("table", ["load", "anatomy.parameters", "cement.flow", "unknown"])
def test_cost_grows_with_the_file_and_no_faster(table, tmp_path):
    text = f"[{table}]\n" + "".join(f"key_number_{n} = {n}\n" for n in range(20_000))
    start = time.process_time()
    line = read(tmp_path / "case.toml", text)
    assert time.process_time() - start < 2.0
    assert "unknown key" in line or "no such dimension" in line


def test_a_long_dotted_key_is_refused_before_it_is_parsed(tmp_path):
    start = time.process_time()
    assert "nested deeper" in read(tmp_path / "case.toml", "a." * 400_000 + "a = 1")
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize("reader", [Case.from_toml, read_study])
def test_case_and_study_are_read_within_the_same_limits(reader, tmp_path):
    def refused(path, *said):
        with pytest.raises(InputError) as caught:
            reader(path)
        assert caught.value.file == path
        for text in said:
            assert text in str(caught.value)

    pipe, loop, big, cut = (tmp_path / name for name in ("pipe", "loop", "big.toml", "cut.toml"))
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    with big.open("wb") as handle:
        handle.truncate(50_000_000)
    cut.write_bytes(b"\xff\xfe")
    refused(pipe, "not a file")
    refused(tmp_path, "not a file")
    refused(type(tmp_path)("/dev/zero"), "not a file")
    refused(loop, "no such file")
    refused(tmp_path / "none.toml", "no such file")
    refused(tmp_path / ("n" * 300), "cannot be read")
    refused(big, "too large")
    refused(cut, "not a text file in UTF-8")


def test_a_study_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "study.toml"
    path.write_bytes(b'\xef\xbb\xbfname = "s"\n[[factors]]\npath = "cement.volume_ml"\nvalues = [1.0]\n')
    assert len(read_study(path).scenarios) == 1


def test_a_file_that_grows_is_read_to_its_limit(tmp_path):
    path = tmp_path / "case.toml"
    path.write_bytes(b"#" * (LARGEST_CASE + 1))
    with pytest.raises(InputError, match="too large for a case file"):
        read_toml(path)
    path.write_bytes(b"#" * LARGEST_CASE)
    assert read_toml(path) == {}


def test_a_raised_digit_is_no_label(tmp_path, capsys):
    (tmp_path / "map.nii").touch()
    for label in ("²", "9" * 5000):
        assert main(["check", "--anatomy", str(tmp_path / "map.nii"), "--label", label]) == 2
        out, error = capsys.readouterr()
        assert out == ""
        assert len(error.splitlines()) == 1
        assert "Traceback" not in error
        assert "internal" not in error


# ------------------------------------------------------------------ any text
def tables(model, path=""):
    """Every table of a case with its keys and what is known to be right or nearly right for them."""
    for key, info in keys(model).items():
        inner = section_in(info.annotation)
        if inner is not None:
            yield from tables(inner, f"{path}.{key}" if path else key)
        default = info.get_default(call_default_factory=True)
        known = [
            choice for choice in (*choices(info.annotation), default) if isinstance(choice, bool | int | float | str)
        ]
        yield path, key, [emit_toml({"k": value}).partition(" = ")[2].strip() for value in known]


KNOWN = list(tables(Case))
BARE = st.text("abcxyz_-019", min_size=1, max_size=12)
TEXT = st.text(max_size=20).map(lambda text: "".join(f"\\U{ord(c):08x}" for c in text if not 0xD800 <= ord(c) < 0xE000))
ODD = ["1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "0xdead", "1e400", "-nan", "1_0", "''", "[", ""]
PLAIN = st.one_of(
    st.integers(-(10**22), 10**22).map(str),
    st.floats().map(lambda number: str(number).replace("+", "")),
    st.booleans().map(lambda truth: str(truth).lower()),
    TEXT.map(lambda text: f'"{text}"'),
    st.sampled_from(ODD),
)


def inline(table):
    return "{" + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}"


VALUE = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(BARE, inner, max_size=3).map(inline),
    ),
    max_leaves=8,
)


@st.composite
def known_line(draw):
    path, key, allowed = draw(st.sampled_from(KNOWN))
    value = draw(st.sampled_from(allowed) if allowed and draw(st.booleans()) else VALUE)
    return f"{path}.{key} = {value}" if path else f"{key} = {value}"


LINE = st.one_of(
    known_line(),
    known_line(),
    st.builds("{} = {}".format, st.lists(BARE, min_size=1, max_size=4).map(".".join), VALUE),
    st.sampled_from([f"[{path}]" for path in sorted({path for path, _, _ in KNOWN} - {""})]),
    st.sampled_from(["[[cement.injections]]", "[[fracture.surfaces]]", "[a.b]", "# comment", 'preset = "lytic-focal"']),
    st.text(max_size=30).map(lambda text: text.encode("utf-8", "replace").decode()),
)


@settings(derandomize=True, max_examples=200, deadline=None, database=None)
@given(st.lists(LINE, max_size=12).map("\n".join))
def test_any_text_gives_a_case_or_one_short_line(tmp_path_factory, text):
    found = read(tmp_path_factory.getbasetemp() / "any.toml", text)
    if isinstance(found, Case):
        # What is accepted is complete, and says so again.
        assert Case.from_dict(found.to_dict()) == found
        assert len(str(found).splitlines()) <= 40


# ------------------------------------------------------------------ nested values
def test_paths_make_tables():
    assert nested({"a.b": 1, "a.c.d": 2, "e": 3}) == {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    assert nested({"a.b": 1, "a": {"b": 2, "c": 3}}) == {"a": {"b": 1, "c": 3}}
    with pytest.raises(InputError, match="beside a value that is no table"):
        nested({"a": 1, "a.b": 2})
    assert merged({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}) == {"a": {"b": 3, "c": 2}}


def test_what_toml_cannot_hold_is_not_written():
    with pytest.raises(TypeError, match="has no TOML form"):
        emit_toml({"a": {1, 2}})
