"""How right the analysis is, and how fast: measured on mail that it did not learn from."""
