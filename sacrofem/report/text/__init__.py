"""Words and numbers of a report: tables, bands, names."""
