//! All SQL: the store traits and the embedded SQLite implementation.
