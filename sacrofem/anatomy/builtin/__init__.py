"""The parametric sacrum."""
