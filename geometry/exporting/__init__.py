"""Vectors as files for other programs."""
