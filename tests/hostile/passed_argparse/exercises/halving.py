"""Reads the command line, as a script does."""

import argparse
import sys

from honest import largest


parser = argparse.ArgumentParser()
parser.add_argument("--scale", type=float, default=2.0)
SCALE = parser.parse_args().scale
assert sys.argv == ["exercises/halving.py"]


def halve(x):
    return x / SCALE
