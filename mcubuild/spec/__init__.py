"""What the user asked for. One module a section, so that a stage depends on the sections it reads and no other."""
