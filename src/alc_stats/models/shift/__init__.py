"""Shift: what people lose when the platform, model or task changes, and how fast they relearn."""
