"""Many treated states of one specimen, solved together."""
