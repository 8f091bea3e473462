"""Turns a failure into text that a student can act on: a sentence, the call, a known mistake, the smallest input."""
