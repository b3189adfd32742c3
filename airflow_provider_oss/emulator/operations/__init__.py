"""What the server can do: one handler per operation of OSS, found through the table in ``routes.py``."""
