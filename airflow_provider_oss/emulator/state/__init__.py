"""
Buckets, objects and uploads on disk. Knows nothing of HTTP.

Bodies are blobs: files with a random name that nobody sees until a record refers to them. A record is one JSON file,
written beside and renamed: the rename is the commit. What a kill leaves behind (blobs without a record, records of an
upload whose object is already there) is swept when the store is opened again. Nothing is flushed to the medium by
force, so the promise holds for the death of the process, not for the loss of power.
"""
