"""The surface Kubernetes resources: Velero's backups, restores, inventory and volumes."""
