"""What can be known about a corpus before training, one question a module."""
