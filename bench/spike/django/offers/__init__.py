"""The offers: a table, and a view of a row of it."""
