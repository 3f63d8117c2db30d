//! The pipeline: audience, variant, render, write, invalidate; durable chunks with leases.
