//! A stand-in for a customer's own system: an offer for each user, over HTTP, on this host only.

use std::net::{Ipv4Addr, SocketAddr};

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use corkboard_core::story::story;
use corkboard_edge::{EdgeOptions, ListenError};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::exit::{Failure, Outcome};

const PRODUCTS: &[(&str, &str)] = &[
    ("a cast-iron pan", "kitchen"),
    ("a pair of trail shoes", "outdoor"),
    ("a travel rucksack", "travel"),
    ("a record player", "music"),
    ("a raised garden bed", "garden"),
    ("a hand coffee mill", "coffee"),
    ("a wooden chess set", "games"),
];

/// Bound, and not yet served.
pub(super) struct Endpoint {
    listener: TcpListener,
    port: u16,
}

/// Being served.
pub(super) struct Serving {
    tasks: TaskTracker,
    end: CancellationToken,
}

impl Endpoint {
    /// Binds the port that was used before, or any when there was none or it is taken.
    pub(super) fn bind(port: u16) -> Outcome<Self> {
        let listen = |port| corkboard_edge::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let failed = |error: &ListenError| Failure::Unavailable(story(error));
        let listener = match listen(port) {
            Ok(listener) => listener,
            Err(error) if port == 0 => return Err(failed(&error)),
            Err(_) => listen(0).map_err(|error| failed(&error))?,
        };
        let address = listener
            .local_addr()
            .map_err(|error| Failure::Unavailable(format!("the sample endpoint: {error}")))?;
        Ok(Self {
            listener,
            port: address.port(),
        })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Serves in a task of its own.
    pub(super) fn serve(self) -> Serving {
        let (tasks, end) = (TaskTracker::new(), CancellationToken::new());
        let router = Router::new().route("/users/{user_id}/offer", get(offer));
        let options = EdgeOptions {
            name: "sample-endpoint",
            ..EdgeOptions::default()
        };
        tasks.spawn(corkboard_edge::serve(
            self.listener,
            router,
            options,
            end.clone(),
        ));
        Serving { tasks, end }
    }
}

impl Serving {
    /// Ends once nobody calls any more.
    pub(super) async fn stop(self) {
        self.end.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn offer(Path(user): Path<String>) -> Json<Value> {
    Json(offer_for(&user))
}

/// The same offer for the same user, always.
fn offer_for(user: &str) -> Value {
    let sum = user.bytes().fold(7_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(byte))
    });
    let (product, category) = PRODUCTS
        .get(sum % PRODUCTS.len())
        .copied()
        .unwrap_or_default();
    let percent = 10 + sum / PRODUCTS.len() % 5 * 5;
    json!({
        "user_id": user,
        "product": product,
        "category": category,
        "discount_percent": percent,
        "code": format!("CORK{percent}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_get_offers_of_their_own() {
        assert_eq!(offer_for("user-00001"), offer_for("user-00001"));
        let others =
            (1..50).map(|number| offer_for(&format!("user-{number:05}"))["product"].clone());
        let kinds: std::collections::BTreeSet<String> = others.map(|p| p.to_string()).collect();
        assert_eq!(kinds.len(), PRODUCTS.len());
    }
}
