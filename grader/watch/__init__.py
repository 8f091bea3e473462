"""Grades on save: notices that files may have changed, finds what is to be graded for it, and keeps a warm process."""

from grader.watch.looking import Changes, Look, changes, look
from grader.watch.noticing import has_events, notices
from grader.watch.session import Batch, Ended, Session

__all__ = ["Batch", "Changes", "Ended", "Look", "Session", "changes", "has_events", "look", "notices"]
