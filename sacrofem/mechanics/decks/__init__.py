"""Input files of other solvers."""
