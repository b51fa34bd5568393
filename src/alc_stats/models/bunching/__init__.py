"""Bunching: amounts that gather at the quota (H13)."""
