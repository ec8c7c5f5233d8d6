"""The annual test: production's cluster is lost, and everything comes back from bucket, Git and escrow."""
