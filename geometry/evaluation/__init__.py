"""How far the answers of a head can be trusted."""
