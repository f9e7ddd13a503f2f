"""Small tables out of what a program has, and looking at what becomes of them: behind `pw.debug` and `pw.testing`."""
