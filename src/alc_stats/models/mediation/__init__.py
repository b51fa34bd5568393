"""Mediation: treatment moves a mediator, and the mediator moves the outcome."""
