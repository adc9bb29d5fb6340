"""What was built, in the formats of other tools."""
