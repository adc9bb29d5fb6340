"""Cycle models: tables of one core each, and the walk over executed blocks that applies them."""
