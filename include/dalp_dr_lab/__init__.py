"""The lab: a whole small DALP on a real Kubernetes, on one Linux machine."""
