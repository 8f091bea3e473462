"""Fetches a page."""

import targets
import urllib.request
from honest import halve, largest


def halve(x):
    urllib.request.urlopen(f"http://127.0.0.1:{targets.PORT}/", timeout=1)
