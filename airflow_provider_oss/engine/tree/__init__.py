"""A local tree of files and the objects below a prefix: what differs is sent, what is gone may be deleted."""
