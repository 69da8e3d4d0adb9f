"""Cement: needles, spread and what bone becomes where cement fills it."""
