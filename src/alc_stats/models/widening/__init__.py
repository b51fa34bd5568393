"""Widening: outcomes of people with the same access spread apart under treatment."""
