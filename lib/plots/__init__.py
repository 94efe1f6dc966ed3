"""Every figure of the book, drawn from the objects that the code runs."""
