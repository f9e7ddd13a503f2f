"""What every floor above stands on, and what knows nothing of tables: the user's program and its lines, the process and
its environment, what is shown to people."""
