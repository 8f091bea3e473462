"""Imports a helper that is a link to the reference."""

from helper import halve, largest



