//! The HTTP surface: client API, server API, OpenAPI, problem+json, auth, limits, idempotency.
