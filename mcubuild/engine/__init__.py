"""The engine: kernels, memory planner, footprint estimates and code generation; from the quantised graph to C."""
