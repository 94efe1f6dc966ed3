"""What keeps the book honest: claims and their ledger, twins, runs of notebooks, links.

Open :mod:`lib.course.claims` first. Nothing that computes depends on this folder.
"""
