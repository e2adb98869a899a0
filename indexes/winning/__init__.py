"""Which rows can win: have the largest product of all with some vector."""
