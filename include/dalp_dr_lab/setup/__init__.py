"""Make a bare machine ready: refusals first, then packages, programs and images, each made once. Standard library only."""
