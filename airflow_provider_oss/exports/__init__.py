"""From rows to bytes: pure writers of csv, jsonl and parquet, whose bytes are the same when the rows are."""
