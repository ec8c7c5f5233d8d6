"""The surface object storage: versioned buckets, and the objects that rows of the database name."""
