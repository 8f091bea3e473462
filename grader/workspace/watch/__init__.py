"""Grades on save: notices that files may have changed, finds what to grade, and keeps a warm process."""

from grader.workspace.watch.file_events import has_events, notices
from grader.workspace.watch.session import FinishedRun, GradingRun, WatchSession
from grader.workspace.watch.snapshots import Changes, Look, changes, look

__all__ = [
    "Changes",
    "FinishedRun",
    "GradingRun",
    "Look",
    "WatchSession",
    "changes",
    "has_events",
    "look",
    "notices",
]
