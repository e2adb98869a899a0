"""All tokens of a head at once: what holds of each, proved."""
