"""What is asked: expressions, and the vectors that they compose."""
