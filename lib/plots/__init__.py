"""Figures, drawn from the specifications that the code runs.

Open :mod:`lib.plots.style` first; one file for each chapter's figures.
"""
