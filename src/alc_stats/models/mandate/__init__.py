"""Mandates as treatments: what changes in firms when a mandate starts, and how one would know."""
