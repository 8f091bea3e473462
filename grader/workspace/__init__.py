"""A student's folder: its files, opened hints, progress, replay files, watching and notebooks."""
