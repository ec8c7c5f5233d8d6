"""Makes the sample modules of this folder importable by the tests below it."""
