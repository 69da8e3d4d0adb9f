"""`view`: the three-dimensional scene of a result."""

from __future__ import annotations

from pathlib import Path

from sacrofem.cli.app import app
from sacrofem.cli.common import check_overwrites, print_json
from sacrofem.errors import InputError


@app.command
def view(folder: Path, /, *, png: Path | None = None, overwrite: bool = False, json: bool = False) -> int:
    """Show bone, fracture and cement of a result before and after, in a window or as a picture.

    Needs pyvista: pip install 'sacrofem[view]'.

    Parameters
    ----------
    folder
        What `sacrofem compare --out` wrote.
    png
        Write a picture instead of opening a window.
    overwrite
        Replace an existing picture.
    json
        One JSON object to standard output.
    """
    check_overwrites(overwrite, png, "--png")
    if png is not None:
        if png.exists() and not overwrite:
            raise InputError("exists already", field="--png", value=str(png), mend="name another or give --overwrite")
        if not png.parent.is_dir():
            raise InputError("its folder does not exist", field="--png", value=str(png), mend="make the folder first")
        if png.suffix != ".png":
            raise InputError("is no picture", field="--png", value=str(png), mend="let it end in .png")
    from sacrofem.report.view import view as show

    show(folder, png=png)
    if json:
        print_json({"folder": str(folder), "picture": None if png is None else str(png)})
    elif png is not None:
        print(f"written: {png}")
    return 0
