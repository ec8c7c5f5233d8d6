"""When drills start."""
