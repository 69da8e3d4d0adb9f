"""Tets with names: meshing, fracture cutting, node splitting, files and quality."""
