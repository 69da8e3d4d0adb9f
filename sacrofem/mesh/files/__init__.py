"""Meshes read and written."""
