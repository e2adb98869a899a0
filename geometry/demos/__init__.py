"""Real models that come from PyPI as data."""
