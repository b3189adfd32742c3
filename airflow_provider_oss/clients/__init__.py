"""The client of OSS that the engine and the hook use: nothing else in the package calls OSS, or uses an SDK of it."""
