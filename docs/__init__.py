"""The documentation: pages, their configuration, and what makes reference pages of docstrings."""
