"""Operators that bring data from elsewhere into OSS."""
