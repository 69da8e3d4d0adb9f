"""Equilibrium of one model in any of its states."""
