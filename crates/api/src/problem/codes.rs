//! The stable codes of errors, each with its status and title.

use http::StatusCode;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $title:literal;)*) => {
        /// What went wrong, for programs. Codes are never renamed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// As in the `code` field.
            #[must_use]
            pub fn as_str(self) -> &'static str { match self { $(Self::$name => $code,)* } }
            /// The HTTP status that goes with it.
            #[must_use]
            pub fn status(self) -> StatusCode { match self { $(Self::$name => StatusCode::$status,)* } }
            /// A short title that does not vary.
            #[must_use]
            pub fn title(self) -> &'static str { match self { $(Self::$name => $title,)* } }
        }
    };
}

codes! {
    /// The body is not JSON, or nested too deeply.
    MalformedJson = "malformed_json", BAD_REQUEST, "The body is not JSON";
    /// A path, query or header value cannot be read.
    MalformedRequest = "malformed_request", BAD_REQUEST, "The request cannot be read";
    /// `cursor` or `since` was not given out by this server.
    InvalidCursor = "invalid_cursor", BAD_REQUEST, "The cursor is not one of ours";
    /// `Idempotency-Key` is empty, too long, or not plain text.
    InvalidIdempotencyKey = "invalid_idempotency_key", BAD_REQUEST, "The idempotency key is invalid";
    /// No `Authorization: Bearer` header.
    MissingCredentials = "missing_credentials", UNAUTHORIZED, "Credentials are missing";
    /// The API key is unknown, wrong or revoked.
    InvalidApiKey = "invalid_api_key", UNAUTHORIZED, "The API key is not valid";
    /// The user token is malformed, not signed by the app's key, or lacks a claim.
    InvalidToken = "invalid_token", UNAUTHORIZED, "The user token is not valid";
    /// The user token's `exp` has passed.
    ExpiredToken = "expired_token", UNAUTHORIZED, "The user token has expired";
    /// The API key does not carry the scope that the operation needs.
    MissingScope = "missing_scope", FORBIDDEN, "The API key lacks a scope";
    /// No such path, or no such object in this workspace.
    NotFound = "not_found", NOT_FOUND, "Not found";
    /// The path exists, but not with this method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed";
    /// The body did not arrive in time.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The request took too long to arrive";
    /// A launched campaign cannot be changed, deleted or launched again.
    CampaignLaunched = "campaign_launched", CONFLICT, "The campaign has been launched";
    /// A stopped campaign sends no more.
    CampaignStopped = "campaign_stopped", CONFLICT, "The campaign is stopped";
    /// Only campaigns with delivery `api` can be triggered.
    NotApiTriggered = "not_api_triggered", CONFLICT, "The campaign is not triggered by API";
    /// The object was changed by someone else meanwhile; read it again.
    Conflict = "conflict", CONFLICT, "The object has changed";
    /// Something of this name exists already; names are unique in a workspace.
    NameTaken = "name_taken", CONFLICT, "The name is taken";
    /// The workspace has as many of these as it may have; delete one first.
    LimitReached = "limit_reached", CONFLICT, "There may be no more of these";
    /// Campaigns that are not stopped use the content block; change or stop them first.
    ContentBlockInUse = "content_block_in_use", CONFLICT, "The content block is in use";
    /// A request with the same idempotency key is being worked on.
    RequestInFlight = "request_in_flight", CONFLICT, "The same request is in flight";
    /// The body is larger than the server takes.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body is not `application/json`.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The media type is not supported";
    /// The body is JSON but does not say something valid; see `errors`.
    Invalid = "invalid", UNPROCESSABLE_ENTITY, "The request is invalid";
    /// The idempotency key was used with another request.
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "The idempotency key was used for another request";
    /// The workspace sends more requests than it may.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many requests";
    /// A defect; the log has the details.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Internal error";
    /// The server has too much to do, or too many live connections.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "The server has too much to do";
    /// The installation has no key to seal credentials with; its operator sets `secrets.keys`.
    SecretsUnavailable = "secrets_unavailable", SERVICE_UNAVAILABLE, "Credentials cannot be sealed here";
    /// The database cannot be reached.
    StoreUnavailable = "store_unavailable", SERVICE_UNAVAILABLE, "The store is unavailable";
    /// The disk is full: nothing can be written, reads go on.
    DiskFull = "disk_full", INSUFFICIENT_STORAGE, "The disk is full";
}
