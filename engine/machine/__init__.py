"""Where the engine runs: the device, its readings and its price."""
