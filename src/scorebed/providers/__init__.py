"""Where music comes from: one provider per file."""
