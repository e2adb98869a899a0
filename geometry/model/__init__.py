"""A model at work: what it holds after each of its layers."""
