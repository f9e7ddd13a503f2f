"""What a run and the supervisor of its processes agree on about signals."""

ECHO_SECONDS = 0.2
"""timeout(1) and some supervisors send a signal to the process and again to its group. What comes so soon after the
first is the same request, not impatience. Long enough for a process that is busy when both come."""
