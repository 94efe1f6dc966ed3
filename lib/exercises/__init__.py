"""Exercises that answer: what a reader's few lines must hold, and the smallest input where not.

Open :mod:`lib.exercises.check` first; the questions stand at the end of every notebook.
"""
