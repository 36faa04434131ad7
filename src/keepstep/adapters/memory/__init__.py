"""Every port again in memory, passing the same contracts as the real ones."""
