"""Takes memory while it is imported."""

from honest import halve, largest


taken = bytearray(2**33)
