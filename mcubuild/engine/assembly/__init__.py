"""What kernels are made of: orders of weights, loops, exact rounding, and inner loops in assembly."""
