"""RTO, RTT and RPO from marks, against the deployment's targets; and where the run came from."""
