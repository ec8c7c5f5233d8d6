"""The command line of the core: one module for each command."""
