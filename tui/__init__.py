"""What the person sees: the command line and the screen."""
