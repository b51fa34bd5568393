"""The volume metric beside competence-first metrics: what each would have said (H12, H17)."""
