"""Data sets: found, checked, split and brought to one size."""
