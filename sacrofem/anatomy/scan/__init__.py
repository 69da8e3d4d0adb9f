"""Surfaces and label maps of one's own, and the landmarks found on them."""
