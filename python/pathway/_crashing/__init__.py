"""Killing runs that are kept, and trying out connectors: what `pw.testing` has for people who want to know.

`crashes` kills a program again and again and compares what it has written (`comparing`) with what it writes in peace.
The program runs in children of a process that has imported it (`nursery`), which `program` finds there. `conformance`
puts a connector through what can happen to it, in runs of this process (`trials`).
"""
