import pytest

from sacrofem.case.case import Case
from sacrofem.errors import InputError
from sacrofem.study.ladder import COARSEST_MM, ladder


@pytest.mark.parametrize(
    ("reference", "own", "below"), [("tiny", 0, "tiny"), ("coarse", 1, "tiny"), ("medium", 2, "coarse")]
)
def test_a_case_on_a_shipped_mesh_takes_all_of_them(reference, own, below):
    case = Case().with_(mesh__reference=reference)
    found = ladder(case)
    assert [rung.name for rung in found.rungs] == ["tiny", "coarse", "medium"]
    assert found.own == own
    assert found.rungs[own].case == case
    assert found.below.name == below
    # Nothing but the mesh differs.
    assert all(rung.case.with_(mesh__reference=reference) == case for rung in found.rungs)


@pytest.mark.parametrize("size", [3.0, 4.0, 6.0, 9.0, 20.0])
@pytest.mark.parametrize("fracture", [None, 2.0])
def test_a_case_of_its_own_size_is_one_of_three_in_steps_of_a_half(size, fracture):
    case = Case().with_(mesh__size_mm=size, **({} if fracture is None else {"mesh__fracture_size_mm": fracture}))
    found = ladder(case)
    sizes = [rung.case.mesh.size_mm for rung in found.rungs]
    fine = [rung.case.mesh.fracture_size_mm for rung in found.rungs]
    assert sizes[found.own] == size
    assert fine[found.own] == pytest.approx(fracture or 0.6 * size)
    for series in (sizes, fine):
        assert series[0] / series[1] == pytest.approx(1.5)
        assert series[1] / series[2] == pytest.approx(1.5)
    assert sizes[0] <= max(size, COARSEST_MM)
    assert len({rung.name for rung in found.rungs}) == 3


def test_moduli_of_one_mesh_have_no_ladder():
    with pytest.raises(InputError, match=r"materials.moduli = 'own.csv': are those of one mesh"):
        ladder(Case().with_(materials__moduli="own.csv"))


def test_an_anatomy_that_no_mesh_is_shipped_of_starts_from_the_default_size():
    found = ladder(Case().with_(anatomy__sex="male"))
    assert [rung.case.mesh.size_mm for rung in found.rungs] == pytest.approx([9.0, 6.0, 4.0])
    assert found.own == 2


def test_an_own_mesh_has_no_ladder():
    case = Case().with_(**{"anatomy.kind": "mesh", "anatomy.path": "bone.vtu"})
    with pytest.raises(InputError, match=r"anatomy.kind = 'mesh'.*cannot be made again at other sizes; compare three"):
        ladder(case)


def test_no_room_for_finer_meshes_is_said():
    case = Case().with_(mesh__size_mm=7.0, mesh__fracture_size_mm=0.4)
    text = r"mesh.fracture_size_mm = 0.4: the ladder needs .* below the least of 0.3 mm; make it larger"
    with pytest.raises(InputError, match=text):
        ladder(case)
