"""The listening page: a server on 127.0.0.1 that attaches to the runs of this host."""
