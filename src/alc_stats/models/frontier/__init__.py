"""Excess: tokens beyond what the same quality and task need, and what they cost (H15)."""
