"""Screens of other processes: they look at a run, and steer it, through a Unix socket."""
