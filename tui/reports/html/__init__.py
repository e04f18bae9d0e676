"""The report on a voice: one HTML file that loads nothing from outside."""
