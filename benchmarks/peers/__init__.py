"""The same jobs written for other tools, on one thread: a function of the workload's name each.

They run in the interpreter of the original, which has the tools installed beside it.
"""
