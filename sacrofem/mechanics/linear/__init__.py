"""Linear systems: factors, multigrid, diagnosis."""
