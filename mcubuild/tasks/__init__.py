"""What networks are for: one module, or package, a task."""
