"""Training: float networks of an architecture, super networks, and all that they learn by."""
