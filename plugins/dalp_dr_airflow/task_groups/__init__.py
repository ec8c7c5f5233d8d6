"""The stages of a drill as task groups."""
