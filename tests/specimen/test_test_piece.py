"""Any tet mesh through the public names: faces held, moved and pressed, and the force back."""

import numpy as np
import pytest
from blocks_of_tets import box

import sacrofem as sf

SIZE = (10.0, 8.0, 20.0)


def named_bar(counts=(2, 2, 4), distort=0.15):
    mesh = box(counts, SIZE, distort)
    centre = mesh.points[mesh.faces].mean(axis=1)
    sides = {"left": (0, 0.0), "front": (1, 0.0), "bottom": (2, 0.0), "top": (2, SIZE[2])}
    return mesh.with_sets(face_sets={name: np.isclose(centre[:, axis], at) for name, (axis, at) in sides.items()})


LUBRICATED = {"left": (0.0, None, None), "front": (None, 0.0, None), "bottom": (None, None, 0.0)}


def test_a_bar_that_is_pulled_takes_the_force_of_hooke():
    """F = E A Δl / l; the stress is that of one axis everywhere."""
    bar = sf.Body(named_bar(), youngs=500.0, poisson=0.3, moved=LUBRICATED | {"top": (None, None, 0.2)})
    solved = bar.solve()
    force = 500.0 * SIZE[0] * SIZE[1] * 0.2 / SIZE[2]
    assert solved.reaction("top") == pytest.approx([0.0, 0.0, force], abs=1e-7 * force)
    assert solved.reaction("bottom") == pytest.approx([0.0, 0.0, -force], abs=1e-7 * force)
    assert solved.von_mises == pytest.approx(5.0, rel=1e-9)
    assert solved.at(np.array([5.0, 4.0, 10.0]), "displacement") == pytest.approx([-0.015, -0.012, 0.1], abs=1e-9)


def test_pressed_or_moved_is_the_same_bar():
    force = (0.0, 0.0, -400.0)
    pressed = sf.Body(named_bar(), 500.0, moved=LUBRICATED, pressed={"top": force}).solve()
    assert pressed.stress[:, 2] == pytest.approx(-5.0, rel=1e-8)
    assert pressed.reaction("bottom") == pytest.approx([0.0, 0.0, 400.0], abs=1e-6)
    shorter = pressed.at(np.array([5.0, 4.0, 20.0]), "displacement")[2]
    assert shorter == pytest.approx(-400.0 * SIZE[2] / (500.0 * SIZE[0] * SIZE[1]), rel=1e-8)


def test_layers_in_series_and_held_faces():
    """Two moduli in series: 1/k = Σ l/(E A), with ν = 0 so that held ends do not matter."""
    mesh = named_bar(distort=0.0)
    youngs = np.where(mesh.centroids[:, 2] < 10.0, 100.0, 400.0)
    solved = sf.Body(mesh, youngs, 0.0, held=["bottom"], moved={"top": (0.0, 0.0, 0.1)}).solve()
    stiffness = SIZE[0] * SIZE[1] / (10.0 / 100.0 + 10.0 / 400.0)
    assert solved.reaction("top")[2] == pytest.approx(0.1 * stiffness, rel=1e-9)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"held": ["botom"]}, "no faces of that name"),
        ({"held": []}, "nothing holds the body along x, y, z"),
        ({"moved": {"bottom": (None, None, 0.0)}}, "nothing holds the body along x, y"),
        ({"held": ["bottom"], "moved": {"front": (0.1, None, None)}}, "are moved otherwise already"),
        ({"held": ["bottom"], "youngs": -1.0}, "youngs: must lie in"),
        ({"held": ["bottom"], "youngs": [1.0, 2.0]}, "give one number a tet"),
        ({"held": ["bottom"], "poisson": 0.5}, "poisson: must lie in"),
        ({"held": ["bottom"], "moved": {"top": (0.0, 1.0)}}, "needs three numbers"),
    ],
)
def test_what_is_no_test_is_refused(given, words):
    with pytest.raises(sf.InputError, match=words):
        sf.Body(named_bar(), **({"youngs": 100.0} | given))


def test_a_body_that_only_slides_does_not_balance_or_is_refused():
    mesh = named_bar()
    with pytest.raises(sf.SacrofemError):
        sf.Body(mesh, 100.0, moved={"left": (0.0, None, None), "front": (None, 0.0, None), "bottom": (None, None, 0.0)},
                pressed={"top": (0.0, 0.0, float("nan"))}).solve()  # fmt: skip
