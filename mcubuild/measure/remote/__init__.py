"""Running an ELF where only a debugger reaches: a board behind a GDB server or a debug probe, or QEMU."""
