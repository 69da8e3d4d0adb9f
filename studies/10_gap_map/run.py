"""Bone quality, gap stiffness and aperture: a map of the micromotion that cement takes away."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import main
from matplotlib.figure import Figure


def draw(rows):
    """A map of filler and aperture for every bone quality."""
    quality = sorted({row["materials.density_factor"] for row in rows})
    fillers = sorted({row["fracture.filler_modulus_mpa"] for row in rows})
    apertures = sorted({row["fracture.aperture_mm"] for row in rows})
    figure = Figure(figsize=(3.2 * len(quality) + 1.0, 3.2), layout="constrained")
    axes = figure.subplots(1, len(quality), squeeze=False, sharey=True)[0]
    for ax, factor in zip(axes, quality, strict=True):
        found = {
            (row["fracture.filler_modulus_mpa"], row["fracture.aperture_mm"]): 100 * row["micromotion_mean_um_change"]
            for row in rows
            if row["materials.density_factor"] == factor
        }
        values = [[found[filler, aperture] for aperture in apertures] for filler in fillers]
        image = ax.imshow(values, cmap="cividis_r", vmin=-100, vmax=0, origin="lower", aspect="auto")
        for y, line in enumerate(values):
            for x, value in enumerate(line):
                colour = "black" if value < -55 else "white"
                ax.text(x, y, f"{value:.0f}", ha="center", va="center", fontsize=8, color=colour)
        ax.set_xticks(range(len(apertures)), [f"{a:g}" for a in apertures])
        ax.set_yticks(range(len(fillers)), [f"{f:g}" for f in fillers])
        ax.set(title=f"density × {factor:g}", xlabel="aperture / mm")
    axes[0].set_ylabel("filler / MPa")
    figure.colorbar(image, ax=list(axes)).set_label("change of mean micromotion / %")
    return figure


def check(rows):
    """A softer, wider gap has more to lose."""
    by = {
        (row["materials.density_factor"], row["fracture.filler_modulus_mpa"], row["fracture.aperture_mm"]): row[
            "micromotion_mean_um_before"
        ]
        for row in rows
    }
    softest = min(key[1] for key in by)
    stiffest = max(key[1] for key in by)
    return [f"{key}" for key, value in by.items() if key[1] == softest and not value > by[(key[0], stiffest, key[2])]]


if __name__ == "__main__":
    sys.exit(main(__file__, draw, check))
