"""The rented machine: which cloud it is of, what it costs, and when it is taken away."""
