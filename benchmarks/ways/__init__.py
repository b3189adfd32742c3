"""The ways that users feel: many small files, a slow network, a resumed upload, and how cost grows with size."""
