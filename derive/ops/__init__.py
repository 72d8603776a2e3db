"""The rows: one per operation, and nothing but rows. Only this room knows an operation by name."""
