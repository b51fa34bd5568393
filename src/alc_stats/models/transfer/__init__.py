"""Transfer: what is practised by volume does not carry to new tasks; schema training does."""
