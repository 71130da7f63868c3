"""Signal processing on arrays: no files, no processes."""
