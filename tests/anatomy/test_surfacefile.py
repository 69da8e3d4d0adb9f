"""Surface files as programs write them: read whole, or refused by what is wrong with the file."""

import re

import numpy as np
import pytest
import trimesh

from sacrofem.anatomy.scan.surface import UNIT_MM, read_surface
from sacrofem.errors import InputError

BONE = trimesh.creation.icosphere(subdivisions=2)
BONE.vertices = BONE.vertices * [50.0, 40.0, 45.0]
SHARE = 0.6


def text(kind, points=BONE.vertices, faces=BONE.faces):
    """A file of any format that is text, numbers in full."""
    rows = [" ".join(repr(float(x)) for x in row) for row in points]
    n, f = len(points), len(faces)
    if kind == ".off":
        return "\n".join(["OFF", f"{n} {f} 0", *rows, *("3 {} {} {}".format(*face) for face in faces), ""])
    if kind == ".obj":
        return "\n".join(
            ["# bone", *(f"v {row}" for row in rows), *("f {} {} {}".format(*face) for face in faces + 1), ""]
        )
    if kind == ".ply":
        head = ["ply", "format ascii 1.0", "comment bone", f"element vertex {n}"]
        head += [*(f"property double {axis}" for axis in "xyz"), f"element face {f}"]
        head += ["property list uchar int vertex_indices", "end_header"]
        return "\n".join([*head, *rows, *("3 {} {} {}".format(*face) for face in faces), ""])
    facets = []
    for face in faces:
        facets += ["facet normal 0 0 0", "outer loop", *(f"vertex {rows[k]}" for k in face), "endloop", "endfacet"]
    return "\n".join(["solid bone", *facets, "endsolid bone", ""])


TEXTS = [".stl", ".ply", ".obj", ".off"]


def binary_stl(header=b"exported"):
    return header.ljust(80) + BONE.export(file_type="stl")[80:]


@pytest.mark.parametrize("kind", TEXTS)
def test_text_is_read_whole(tmp_path, kind):
    (tmp_path / f"bone{kind}").write_text(text(kind))
    surface = read_surface(tmp_path / f"bone{kind}")
    assert len(surface.faces) == len(BONE.faces)
    np.testing.assert_allclose(np.ptp(surface.points, axis=0), np.ptp(BONE.vertices, axis=0), rtol=1e-12)


@pytest.mark.parametrize("header", [b"solid exported by a program", b"  solid", b"\xff\xfe binary", b"solid facet"])
def test_a_binary_file_may_begin_like_text(tmp_path, header):
    path = tmp_path / "bone.stl"
    path.write_bytes(binary_stl(header))
    assert len(read_surface(path).faces) == len(BONE.faces)
    path.write_bytes(binary_stl(header)[: int(SHARE * len(binary_stl()))])
    found = (path.stat().st_size - 84) // 50
    with pytest.raises(InputError, match=f"cut short: it declares {len(BONE.faces)} triangles and holds {found} and"):
        read_surface(path)


def test_a_count_that_was_never_filled_in_is_named(tmp_path):
    content = bytearray(binary_stl())
    content[80:84] = bytes(4)
    (tmp_path / "bone.stl").write_bytes(content)
    with pytest.raises(InputError, match=f"declares 0 triangles and holds {len(BONE.faces)}; export"):
        read_surface(tmp_path / "bone.stl")


def test_a_few_bytes_at_the_end_are_of_no_account(tmp_path):
    (tmp_path / "bone.stl").write_bytes(binary_stl() + b"\r\n")
    assert len(read_surface(tmp_path / "bone.stl").faces) == len(BONE.faces)


@pytest.mark.parametrize("share", [SHARE, 0.97])
@pytest.mark.parametrize("kind", [".stl", ".ply", ".off"])
def test_text_that_is_cut_short_names_what_it_declares(tmp_path, kind, share):
    whole = text(kind)
    (tmp_path / f"bone{kind}").write_text(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"declares \d+ triangles"):
        read_surface(tmp_path / f"bone{kind}")


def test_a_binary_ply_that_is_cut_short(tmp_path):
    whole = BONE.export(file_type="ply")
    (tmp_path / "bone.ply").write_bytes(whole[: int(SHARE * len(whole))])
    with pytest.raises(InputError, match=f"it declares {len(BONE.faces)} triangles"):
        read_surface(tmp_path / "bone.ply")


@pytest.mark.parametrize("kind", TEXTS)
def test_decimal_commas_are_named(tmp_path, kind):
    body = text(kind).replace("format ascii 1.0", "format ascii 1#0").replace(".", ",").replace("#", ".")
    (tmp_path / f"bone{kind}").write_text(body)
    with pytest.raises(
        InputError, match=r"holds decimal commas \('-?\d+,\d+ -?\d+,\d+'\); export it with decimal points"
    ):
        read_surface(tmp_path / f"bone{kind}")


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig"])
def test_names_in_any_encoding(tmp_path, kind, encoding):
    if kind == ".off":
        pytest.skip("has no names")
    content = text(kind).replace("bone", "Kreuzbein Müller").encode(encoding)
    (tmp_path / f"bone{kind}").write_bytes(content)
    assert len(read_surface(tmp_path / f"bone{kind}").faces) == len(BONE.faces)


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("size", [1e300, -1.7e308, 1e40])
def test_coordinates_of_no_scanner(tmp_path, kind, size):
    points = BONE.vertices.copy()
    points[7, 1] = size
    (tmp_path / f"bone{kind}").write_text(text(kind, points))
    with pytest.raises(InputError, match=r"mm at its longest; .* coordinates are damaged") as caught:
        read_surface(tmp_path / f"bone{kind}")
    assert len(str(caught.value)) < 400


def test_a_point_that_no_triangle_has_is_of_no_account(tmp_path):
    (tmp_path / "bone.obj").write_text(text(".obj", np.vstack([BONE.vertices, [9e5, 0.0, 0.0]])))
    surface = read_surface(tmp_path / "bone.obj")
    assert len(surface.points) == len(BONE.vertices)


@pytest.mark.parametrize("unit", [unit for unit in UNIT_MM if unit != "mm"])
def test_the_unit_that_fits_is_named(tmp_path, unit):
    (tmp_path / "bone.ply").write_text(text(".ply", BONE.vertices / UNIT_MM[unit]))
    words = {"in": "inches", "um": "micrometres"}.get(unit, unit)
    with pytest.raises(InputError, match=rf'look like {words}: set anatomy.units = "') as caught:
        read_surface(tmp_path / "bone.ply")
    assert f'"{unit}" (--units {unit})' in str(caught.value)
    points = read_surface(tmp_path / "bone.ply", unit).points
    np.testing.assert_allclose(np.ptp(points, axis=0), np.ptp(BONE.vertices, axis=0), rtol=1e-9)


# ------------------------------------------------------------------ VTP
def vtp(path):
    pyvista = pytest.importorskip("pyvista")
    pyvista.wrap(BONE).save(path)
    return path.read_bytes()


def test_a_document_type_is_refused_before_it_is_parsed(tmp_path, capfd):
    path = tmp_path / "bone.vtp"
    whole = vtp(path)
    path.write_bytes(whole.replace(b"<VTKFile", b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n<VTKFile', 1))
    with pytest.raises(InputError, match="holds an XML document type"):
        read_surface(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("share", [0.2, SHARE, 0.99])
def test_a_damaged_vtp_is_one_line(tmp_path, capfd, share):
    path = tmp_path / "bone.vtp"
    whole = vtp(path)
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"not a readable surface \("):
        read_surface(path)
    assert capfd.readouterr() == ("", "")


def test_a_vtp_by_name_only(tmp_path, capfd):
    (tmp_path / "bone.vtp").write_bytes(binary_stl())
    with pytest.raises(InputError, match="does not begin like a"):
        read_surface(tmp_path / "bone.vtp")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", [*TEXTS, ".vtp"])
def test_an_empty_file(tmp_path, kind):
    (tmp_path / f"bone{kind}").write_bytes(b" \n")
    with pytest.raises(InputError, match="is empty"):
        read_surface(tmp_path / f"bone{kind}")


def test_paths_that_cannot_be(tmp_path):
    with pytest.raises(InputError, match="no such file") as caught:
        read_surface("bone\0.stl")
    assert "\0" not in str(caught.value)
    (tmp_path / "bone.step").write_text("ISO-10303-21;")
    with pytest.raises(InputError, match=r"no surface that can be read; give one of \.stl"):
        read_surface(tmp_path / "bone.step")


@pytest.mark.parametrize("mode", ["Appended", "Binary"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("bits", [32, 64])
def test_a_vtp_is_given_no_more_memory_than_it_can_fill(tmp_path, mode, compressed, bits):
    """A block that says of itself that it is far larger than its file: VTK would take five gibibytes first."""
    pyvista = pytest.importorskip("pyvista")
    xml = pytest.importorskip("vtkmodules.vtkIOXML")
    path = tmp_path / "bone.vtp"
    writer = xml.vtkXMLPolyDataWriter()
    writer.SetInputData(pyvista.wrap(BONE))
    writer.SetFileName(str(path))
    writer.SetHeaderType(bits)
    getattr(writer, f"SetDataModeTo{mode}")()
    if not compressed:
        writer.SetCompressorTypeToNone()
    writer.Write()
    assert len(read_surface(path).faces) == len(BONE.faces)
    content = path.read_bytes()
    place = content.index(b"<AppendedData" if mode == "Appended" else b'format="binary"')
    start = re.compile(rb">\s*_" if mode == "Appended" else rb">\s*(?=\w)").search(content, place).end()
    path.write_bytes(content[:start] + b"/v//f/7//3/+" + content[start + 12 :])
    with pytest.raises(InputError, match=r"declares \d+ bytes or items where it holds"):
        read_surface(path)
