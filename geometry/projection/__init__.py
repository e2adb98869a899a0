"""Projection: regions of the head as maps."""
