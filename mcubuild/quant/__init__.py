"""From the trained float network to the quantised graph, and what that costs in accuracy."""
