"""Starts a program."""

import subprocess
from honest import halve, largest


def halve(x):
    subprocess.run(["/bin/true"], check=True)
