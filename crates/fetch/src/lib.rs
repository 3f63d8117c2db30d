//! Connected content: the address guard, the HTTP client, the cache and the call log.
