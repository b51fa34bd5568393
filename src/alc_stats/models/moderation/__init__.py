"""Moderation: who gains from a programme, knowledge of shape and of ways held apart."""
