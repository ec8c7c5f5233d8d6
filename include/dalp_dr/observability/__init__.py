"""The surface observability: metrics, logs and traces that can still be asked."""
