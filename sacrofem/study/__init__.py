"""Many comparisons."""
