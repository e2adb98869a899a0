"""Checkpoints on other hosts: a model hub, or any that serves ranges of files."""
