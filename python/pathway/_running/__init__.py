"""Running what was declared: settings, signals, the end, other processes, and showing how far it is."""
