"""The tools that keep the book honest: twins, execution, budgets, launch links, the ledger.

Nothing that computes imports this package; the Makefile, the tests and the book's build do.
"""
