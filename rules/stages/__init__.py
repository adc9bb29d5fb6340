"""The stages: a module each, which says what it reads, writes and depends on, and calls the library."""
