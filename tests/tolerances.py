"""Every tolerance in the tests, by name, with its reason. Sorted by name."""

EXACT_ARITHMETIC = 1e-12
"""Closed forms in float64: a few hundred roundings at most."""
