"""Runs a hidden pytest suite in the trusted process, and compares results; authors import it as `grader.suite`."""
