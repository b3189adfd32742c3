"""The OSS client that the engine uses, over oss2; the only place that knows the SDK."""
