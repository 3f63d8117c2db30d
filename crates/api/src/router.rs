//! All routes in one place.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::Redirect;
use corkboard_edge::Lane;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use crate::lane::FeedLane;
use crate::problem::{Code, Problem};
use crate::state::{ApiDeps, ApiOptions, ApiState};
use crate::{client, idempotency, observe, openapi, server};

/// The whole surface, for the edge.
#[derive(Debug, Clone)]
pub struct Surface {
    /// Answers every request.
    pub router: Router,
    /// Answers what memory can answer, as the router would.
    pub lane: Arc<dyn Lane>,
}

/// Builds the surface.
#[must_use]
pub fn surface(deps: ApiDeps, options: ApiOptions) -> Surface {
    let state = ApiState::new(deps, options);
    Surface {
        lane: Arc::new(FeedLane::new(state.clone())),
        router: router(state),
    }
}

fn router(state: ApiState) -> Router {
    let paths = routes().split_for_parts().1;
    // Repeats of the client API are harmless as they are, and its callers have no workspace's key.
    let (server, _) = server_routes().split_for_parts();
    let (client, _) = client_routes().split_for_parts();
    server
        .layer(middleware::from_fn_with_state(
            state.clone(),
            idempotency::layer,
        ))
        .merge(client)
        .route(
            "/",
            axum::routing::get(|| std::future::ready(Redirect::temporary("/docs/"))),
        )
        .merge(SwaggerUi::new("/docs").url("/openapi.json", openapi::finish(paths)))
        .fallback(|| {
            std::future::ready(Problem::new(
                Code::NotFound,
                "there is nothing at this path; see /docs",
            ))
        })
        .method_not_allowed_fallback(|| {
            std::future::ready(Problem::new(
                Code::MethodNotAllowed,
                "the path does not take this method; see /docs",
            ))
        })
        // Bodies are limited where they are read, with an answer of ours.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(observe::layer))
        .with_state(state)
}

/// Every operation of the contract.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    client_routes().merge(server_routes())
}

/// What apps and sites call.
fn client_routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(client::feed::get_feed))
        .routes(routes!(client::events::report_events))
        .routes(routes!(client::live::live))
}

/// What the brand's own systems call.
fn server_routes() -> OpenApiRouter<ApiState> {
    use server::{
        call_export, calls, campaigns, content_blocks, credentials, dispatches, launches, preview,
        stats, track, user_cards, users,
    };
    OpenApiRouter::new()
        .routes(routes!(track::track_users))
        .routes(routes!(users::get_user, users::erase_user))
        .routes(routes!(user_cards::list_user_cards))
        .routes(routes!(user_cards::remove_user_card))
        .routes(routes!(
            campaigns::create_campaign,
            campaigns::list_campaigns
        ))
        .routes(routes!(
            campaigns::get_campaign,
            campaigns::replace_campaign,
            campaigns::delete_campaign
        ))
        .routes(routes!(
            content_blocks::create_content_block,
            content_blocks::list_content_blocks
        ))
        .routes(routes!(
            content_blocks::get_content_block,
            content_blocks::replace_content_block,
            content_blocks::delete_content_block
        ))
        .routes(routes!(
            credentials::create_credential,
            credentials::list_credentials
        ))
        .routes(routes!(
            credentials::get_credential,
            credentials::replace_credential,
            credentials::delete_credential
        ))
        .routes(routes!(launches::launch_campaign))
        .routes(routes!(launches::trigger_campaign))
        .routes(routes!(launches::stop_campaign))
        .routes(routes!(stats::get_stats))
        .routes(routes!(dispatches::get_dispatch))
        .routes(routes!(preview::preview))
        .routes(routes!(stats::explain))
        .routes(routes!(calls::list_fetches))
        .routes(routes!(call_export::export_fetches))
}
