"""Proxy: the metric stops measuring value once it is the target (H12)."""
