"""Inversion: quality rises with usage without a mandate, and no longer does under it."""
