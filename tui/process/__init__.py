"""One app in one process: signals, terminal, logs, screens or none."""
