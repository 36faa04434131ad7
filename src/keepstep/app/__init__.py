"""One use case per module; they know the domain and the ports only."""
