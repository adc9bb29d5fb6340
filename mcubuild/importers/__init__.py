"""Networks that others made: from files to quantised graphs. What a file says is checked before anything is done."""
