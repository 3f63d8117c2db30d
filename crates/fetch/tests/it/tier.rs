//! One cache for several nodes: one call for all of them, and right answers without it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use corkboard_core::connected::{ConnectedContent, FetchCaching, FetchRequest, FetchSource};
use corkboard_core::time::SystemClock;
use corkboard_fetch::tier::{MemoryTier, TierKey, TierLook, TierLost};
use corkboard_fetch::{DiscardCallLog, FetchClient, FetchOptions, ResponseTier};
use corkboard_testkit::{Gate, Peer, Reply};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::bench_client::{ScriptedResolver, expect_failure, get, open_options, scope, text};

fn nodes(count: usize, tier: &Arc<dyn ResponseTier>) -> Vec<FetchClient> {
    let node = |options: FetchOptions| {
        let log = Arc::new(DiscardCallLog);
        let resolver = Arc::new(ScriptedResolver::default());
        let client = FetchClient::new(options, Arc::new(SystemClock), log, resolver);
        client
            .expect("the options are good")
            .with_tier(Arc::clone(tier))
    };
    (0..count).map(|_| node(open_options())).collect()
}

fn memory() -> Arc<dyn ResponseTier> {
    Arc::new(MemoryTier::default())
}

#[tokio::test]
async fn many_nodes_make_one_call() {
    let (peer, gate) = (Peer::start().await, Gate::shut());
    peer.on(
        "/json",
        Reply::json(&serde_json::json!({"n": 1.25})).behind(&gate),
    );
    let nodes = nodes(8, &memory());
    let url = peer.url("/json");
    let asking = join_all(nodes.iter().map(|node| node.fetch(scope(1), get(&url))));
    let opening = async {
        corkboard_testkit::wait_until(Duration::from_secs(5), "the call to arrive", || {
            let calls = peer.calls("/json");
            std::future::ready((calls == 1).then_some(()).ok_or(format!("{calls} calls")))
        })
        .await;
        gate.open();
    };
    let (responses, ()) = tokio::join!(asking, opening);
    assert!(
        responses
            .iter()
            .all(|it| it.body == responses[0].body && it.status == 200)
    );
    let cached = responses
        .iter()
        .filter(|it| it.report.source == FetchSource::Cache);
    assert_eq!((cached.count(), peer.calls("/json")), (7, 1));
    // What came from another node is in one's own memory from then on.
    let again = nodes[3].fetch(scope(1), get(&url)).await;
    assert_eq!(again.report.source, FetchSource::Cache);
}

#[tokio::test]
async fn what_differs_is_not_shared_and_failures_are_not_kept() {
    let peer = Peer::start().await;
    peer.on("/*", Reply::text("ok"))
        .on("/gone", Reply::status(404))
        .on_sequence("/busy", vec![Reply::status(503), Reply::text("now")]);
    let nodes = nodes(2, &memory());
    let fetch = |node: usize, workspace: u8, request: FetchRequest| {
        nodes[node].fetch(scope(workspace), request)
    };
    let url = peer.url("/a");
    let header = |value: &str| {
        let mut request = get(&url);
        request.headers.insert("x-key".to_owned(), value.to_owned());
        request
    };
    for (node, workspace, request) in [
        (0, 1, get(&url)),
        (1, 1, get(&url)),
        (1, 2, get(&url)),
        (0, 1, header("1")),
        (1, 1, header("2")),
        (1, 1, header("1")),
    ] {
        assert_eq!(text(&fetch(node, workspace, request).await), "ok");
    }
    assert_eq!(
        peer.calls("/a"),
        4,
        "two workspaces, and two headers in one"
    );
    let busy = peer.url("/busy");
    expect_failure(&fetch(0, 1, get(&busy)).await, 503, "503");
    assert_eq!(text(&fetch(1, 1, get(&busy)).await), "now");
    // Who wants it younger than it may be does not get what the other may.
    let longer = FetchRequest {
        caching: FetchCaching::MaxAge(Duration::from_secs(3_600)),
        ..get(&url)
    };
    assert_eq!(text(&fetch(1, 1, longer).await), "ok");
    assert_eq!(peer.calls("/a"), 4, "its own memory is young enough");
    let young = peer.url("/young");
    assert_eq!(text(&fetch(0, 1, get(&young)).await), "ok");
    let longer = FetchRequest {
        caching: FetchCaching::MaxAge(Duration::from_secs(3_600)),
        ..get(&young)
    };
    assert_eq!(text(&fetch(1, 1, longer).await), "ok");
    assert_eq!(peer.calls("/young"), 2, "each age has its own");
    let gone = peer.url("/gone");
    for node in [0, 1] {
        expect_failure(&fetch(node, 1, get(&gone)).await, 404, "404");
    }
    assert_eq!(peer.calls("/gone"), 1);
}

/// What a tier may do instead of helping.
#[derive(Debug, Clone, Copy)]
enum Bad {
    Gone,
    Hanging,
    Garbage,
    /// Somebody took the lease and died.
    Abandoned,
}

#[async_trait]
impl ResponseTier for Bad {
    async fn look(&self, _: &TierKey, _: Duration) -> Result<TierLook, TierLost> {
        match self {
            Self::Gone => Err(TierLost),
            Self::Hanging => std::future::pending().await,
            Self::Garbage => Ok(TierLook::Value(b"what is this".to_vec().into())),
            Self::Abandoned => Ok(TierLook::Leased),
        }
    }
}

#[tokio::test]
async fn without_its_help_every_answer_is_right_and_hardly_later() {
    let peer = Peer::start().await;
    peer.on("/*", Reply::text("ok"));
    for bad in [Bad::Gone, Bad::Hanging, Bad::Garbage, Bad::Abandoned] {
        let tier: Arc<dyn ResponseTier> = Arc::new(bad);
        let nodes = nodes(1, &tier);
        let start = Instant::now();
        for number in 0..5 {
            let request = FetchRequest {
                timeout: Some(Duration::from_millis(100)),
                ..get(&peer.url(&format!("/{bad:?}/{number}")))
            };
            let response = nodes[0].fetch(scope(1), request).await;
            assert_eq!(text(&response), "ok", "{bad:?}");
            assert_eq!(response.report.source, FetchSource::Network);
        }
        // A tier that hangs costs its deadline once and is left out then; a lease costs one time-out.
        let most = match bad {
            Bad::Abandoned => Duration::from_millis(2_500),
            _ => Duration::from_millis(700),
        };
        assert!(start.elapsed() < most, "{bad:?}: {:?}", start.elapsed());
    }
}

/// Counts what it never answers.
#[derive(Debug, Default)]
struct Silent(AtomicUsize);

#[async_trait]
impl ResponseTier for Silent {
    async fn look(&self, _: &TierKey, _: Duration) -> Result<TierLook, TierLost> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_tier_that_does_not_answer_is_not_asked_again_at_once() {
    let peer = Peer::start().await;
    peer.on("/*", Reply::text("ok"));
    let silent = Arc::new(Silent::default());
    let tier: Arc<dyn ResponseTier> = Arc::clone(&silent) as Arc<dyn ResponseTier>;
    let nodes = nodes(1, &tier);
    let start = Instant::now();
    for number in 0..10 {
        let url = peer.url(&format!("/{number}"));
        assert_eq!(text(&nodes[0].fetch(scope(1), get(&url)).await), "ok");
    }
    let most = 1 + start.elapsed().as_secs();
    assert!(silent.0.load(Ordering::SeqCst) as u64 <= most);
}
