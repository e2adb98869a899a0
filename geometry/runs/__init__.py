"""Audits of long lists: kept as they go, on one machine or many, and written to files."""
