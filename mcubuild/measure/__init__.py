"""Running an ELF: emulator, exact instruction counts, cycle models."""
