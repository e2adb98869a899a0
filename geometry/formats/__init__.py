"""Heads in other programs' files, made into checkpoints."""
