"""Search: which network is built."""
