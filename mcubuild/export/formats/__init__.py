"""The formats: a module each, called as ``format=`` says, with a ``FORMAT``."""
