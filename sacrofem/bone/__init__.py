"""Bone: density, modulus and lesions."""
