"""Finds and reads a course: its catalog, what students may see, fingerprints, known mistakes as data."""
