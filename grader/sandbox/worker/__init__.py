"""The UNTRUSTED process: locks itself down, imports a submission, and serves calls on it.

Nothing here decides anything about points, and the trusted side checks everything it sends.
"""
