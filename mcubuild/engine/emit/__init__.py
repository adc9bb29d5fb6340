"""Emission of C: a planned network becomes a folder of files."""
