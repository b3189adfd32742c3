"""The package before a change and after it: the same work in both checkouts, in turn."""
