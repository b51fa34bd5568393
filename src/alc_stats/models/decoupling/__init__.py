"""Decoupling: awareness and capability go together less among the treated (H2)."""
