"""All that one run needs, as plain frozen data: read from TOML, checked, written back."""
