"""Where vectors come from: checkpoints, vocabularies, heads."""
