//! The Liquid engine: parse, limits, render, suspend on a fetch, dialects.
