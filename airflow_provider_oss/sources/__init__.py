"""Sources that are not on this worker: read in ranges where that is possible, by several threads at once."""
