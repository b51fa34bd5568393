"""Consequences of the gap: whether awareness beyond capability goes with worse work."""
