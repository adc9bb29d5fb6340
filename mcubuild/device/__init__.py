"""A board on the desk, or an emulated one: its flash is written, and its firmware answers samples over a wire."""
