"""Dose-response: whether more use helps up to a point, and what it does beyond it."""
