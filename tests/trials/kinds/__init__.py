"""One module a kind of input: ``COUNT`` trials by default, ``PATIENCE`` seconds for each, and the ``trial``."""
