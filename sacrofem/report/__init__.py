"""Results as people read them: tables, figures, the report and its folder."""
