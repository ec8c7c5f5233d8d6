"""A first draft of an environment file from what a cluster shows; every guess is marked as one."""
