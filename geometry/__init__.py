"""The geometry of a head: heads, concepts, spaces, regions, questions and views."""
