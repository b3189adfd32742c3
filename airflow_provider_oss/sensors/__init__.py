"""Tasks that wait for objects."""
