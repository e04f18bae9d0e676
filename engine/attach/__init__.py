"""The wire between a run and the screens of other processes: JSON lines on a Unix socket."""
