"""A table of moduli as a user would write it."""


def write_moduli(path, youngs):
    """Moduli (m,) in MPa with all their digits; elements count from 0, as in the mesh."""
    rows = (f"{element},{modulus!r}" for element, modulus in enumerate(youngs.tolist()))
    path.write_text("\n".join(["element,youngs_mpa", *rows, ""]), encoding="utf-8")
