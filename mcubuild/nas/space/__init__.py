"""Search spaces: what networks they hold, what these cost on a board, and the space that suits it."""
