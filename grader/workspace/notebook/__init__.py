"""`%load_ext grader`: grades cells of a notebook where they stand, `%%grade pooling`, and shows the report below them.

Needs IPython, and is imported only by it.
"""

from grader.workspace.notebook.magics import load, unload

__all__ = ["load", "unload"]
