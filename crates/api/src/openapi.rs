//! The OpenAPI document, made from the handlers, and the page that lets people try it.

mod shared;

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Info, License, OpenApi, OpenApiBuilder, Tag};

use crate::router::routes;

/// The document without the router, for the command line.
#[must_use]
pub fn document() -> OpenApi {
    finish(routes().split_for_parts().1)
}

/// Adds what no handler says: the title, the tags, the two kinds of credentials.
pub(crate) fn finish(paths: OpenApi) -> OpenApi {
    let mut info = Info::new("Corkboard", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Content cards for your own app or site. The client API is called by apps with a user \
         token, the server API by your systems with an API key. Errors are RFC 9457 problem \
         documents with a stable `code`."
            .to_owned(),
    );
    info.license = Some(License::new("Apache-2.0"));
    let tag = |name: &str, description: &str| {
        let mut tag = Tag::new(name);
        tag.description = Some(description.to_owned());
        tag
    };
    let mut document = OpenApiBuilder::new()
        .info(info)
        .tags(Some([
            tag("Client", "What apps and sites call for one user"),
            tag("Users", "Attributes, events and cards of users"),
            tag("Campaigns", "Create, launch, trigger, stop, count, explain"),
            tag("Connected content", "Calls that templates have made"),
        ]))
        .build();
    document.merge(paths);
    shared::add(&mut document);
    let components = document.components.get_or_insert_default();
    let bearer = |description: &str| {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
        SecurityScheme::Http(scheme.description(Some(description)).build())
    };
    components.add_security_scheme("api_key", bearer("An API key of the workspace: `ck_…`"));
    components.add_security_scheme(
        "user_token",
        bearer("A JWT signed by the app: `sub` the user, `aud` the app's id, `exp` required"),
    );
    document
}
