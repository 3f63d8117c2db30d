//! Connected content over real sockets.
