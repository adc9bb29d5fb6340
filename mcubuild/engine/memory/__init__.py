"""Memory: what is alive when, how layers stream, where everything lies in one arena, and what a network will need."""
