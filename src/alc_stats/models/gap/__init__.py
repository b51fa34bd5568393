"""A gap between awareness and capability: use and awareness rise, capability does not (H1)."""
