"""Which concepts of a list have a token, and what the model writes for those without."""
