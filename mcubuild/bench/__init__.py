"""Comparisons: with other engines, and of the engine's own plans and switches with each other."""
