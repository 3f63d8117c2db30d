//! The accept loop, time-outs, connection caps and drain that every role serves through.
