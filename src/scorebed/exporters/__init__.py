"""Read-only views of a result, one format per file."""
