"""Text on its way to symbols."""
