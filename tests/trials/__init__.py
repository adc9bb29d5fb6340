"""Many inputs of a kind, each broken at random from a fixed seed: ``python -m tests.trials <kind>``."""
