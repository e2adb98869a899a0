"""Two heads beside each other."""
