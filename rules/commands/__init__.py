"""What the command line does besides building: a module each, which shows, compares or keeps things in order."""
