//! The binary: the command line, the one composition root, the demo.
