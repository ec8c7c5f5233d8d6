"""A real one-node Kubernetes on this machine: built from Go modules, run beside other clusters, without a container engine."""
