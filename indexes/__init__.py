"""Arrays and ids: rows of a matrix, the search over them, and what is derived from them."""
