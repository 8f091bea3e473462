"""Exports marks, quizzes and the grader itself to other systems."""
