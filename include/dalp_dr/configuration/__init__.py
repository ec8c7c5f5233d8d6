"""The surface configuration: Helm values in Git against the release and against what was restored."""
