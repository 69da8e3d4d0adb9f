"""Displacement fields on a tetrahedral mesh."""
