"""Links from tasks to the OSS console."""
