"""
The upload engine: plans, verifies, sends and resumes. It knows neither Airflow nor an SDK.

In which order to read it:

1. plan, source: which bytes are which part, and what a source is: a file, bytes, a stream, an object.
2. retry, workers: what every transfer is given (Means), how a call is repeated, how threads work and are left.
3. resume, checkpoints: whether an upload is continued, and who owns its id and its checkpoint.
4. parts, stream_parts, upload: a source cut into parts, and the attempt that verifies, sends and completes them.
5. put, stored, copy, many_files, tree: one request, what is there already, copies, many files, directories.
6. planned, ranges, completion: one object by many workers.
7. download, partial_file: objects to files; stale: uploads that nobody continues.
"""
