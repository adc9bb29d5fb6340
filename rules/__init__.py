"""The build graph: one module a stage, which says what the stage reads, writes and depends on."""
