"""TinyNAS: the search space is fitted to the board, one super network is trained in it, and searched."""
