"""What a row is made of, what is known of its token."""
