"""Calibration: whether people know what they can do, beyond what noise alone would show."""
