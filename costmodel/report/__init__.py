"""Reports: tables, JSON and CSV of the results."""
