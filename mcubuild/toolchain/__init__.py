"""From C to firmware: start-up code and linker script, compilers, and what the linked ELF needs of each memory."""
