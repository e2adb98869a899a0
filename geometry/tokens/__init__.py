"""The tokens of a head: their strings, their bytes, their kinds."""
