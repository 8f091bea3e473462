"""`%load_ext grader`: grades a cell of a notebook with `%%grade pooling`, and shows the report below it.

Needs IPython, which alone imports it.
"""

from grader.workspace.notebook.magics import load, unload

__all__ = ["load", "unload"]
