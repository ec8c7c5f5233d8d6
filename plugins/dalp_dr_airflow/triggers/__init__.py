"""Long waits, spent in the triggerer."""
