//! Reading: compose stored cards and broadcasts, states, unread, etag, live hints.
