//! One documented TOML schema: defaults, file, environment, flags; every problem at once.
