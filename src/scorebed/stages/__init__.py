"""The stages of the pipeline: one verb per file."""
