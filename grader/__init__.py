"""Grades exercises and quizzes on convolutional networks without running student code beside the tests."""

__version__ = "0.1.0"
