"""The explorer: one page over a JSON API, served on this machine."""
