"""The quantised graph and its integer reference executor: the waist of the whole system."""
