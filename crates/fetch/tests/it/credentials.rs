//! Stored credentials on the wire: only where they belong.

use std::sync::Arc;

use corkboard_core::connected::{ConnectedContent, FetchRequest, FetchSource};
use corkboard_core::time::SystemClock;
use corkboard_fetch::{
    ChannelCallLog, Credential, CredentialBook, FetchClient, FetchOptions, Resolve, Secret,
};
use corkboard_testkit::{Peer, Reply};

use crate::bench_client::{ScriptedResolver, expect_failure, get, open_options, scope, text};

pub(crate) fn client_with(options: FetchOptions, book: &CredentialBook) -> (FetchClient, Records) {
    let (log, records) = ChannelCallLog::new(100);
    let resolver = Arc::new(ScriptedResolver::default());
    for name in ["localhost", "other.example"] {
        resolver.name(name, &[&["127.0.0.1"]]);
    }
    resolver.name("inside.example", &[&["127.0.0.2"]]);
    resolver.name("mixed.example", &[&["127.0.0.1", "127.0.0.2"]]);
    let resolver: Arc<dyn Resolve> = resolver;
    let client = FetchClient::new(options, Arc::new(SystemClock), Arc::new(log), resolver);
    let client = client.expect("the options are good");
    (client.with_credentials(Arc::new(book.clone())), records)
}

pub(crate) type Records = tokio::sync::mpsc::Receiver<corkboard_fetch::FetchRecord>;

fn with_credential(url: &str, name: &str) -> FetchRequest {
    FetchRequest {
        credential: Some(name.to_owned()),
        ..get(url)
    }
}

#[tokio::test]
async fn a_credential_is_sent_to_its_host_over_tls_and_never_logged() {
    let (peer, certificate) = Peer::start_tls().await;
    peer.on("/", Reply::text("welcome"));
    let book = CredentialBook::default();
    let basic = Credential::basic("user", "s3cret", &["localhost"]).unwrap();
    book.put(scope(1).workspace, "crm", basic);
    let options = FetchOptions {
        extra_roots: vec![certificate],
        ..open_options()
    };
    let (client, mut records) = client_with(options, &book);
    let mut request = with_credential(&peer.url_as("localhost", "/"), "crm");
    request
        .headers
        .insert("authorization".into(), "mine".into());
    assert_eq!(text(&client.fetch(scope(1), request).await), "welcome");
    let seen = &peer.requests()[0];
    assert_eq!(seen.header("authorization"), Some("Basic dXNlcjpzM2NyZXQ="));
    let record = records.try_recv().unwrap();
    let shown = format!("{record:?} {client:?}");
    assert!(
        !shown.contains("s3cret") && !shown.contains("dXNlcjpzM2NyZXQ"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_credential_that_does_not_belong_there_makes_no_call() {
    let peer = Peer::start().await;
    peer.on("/", Reply::text("stolen"));
    let book = CredentialBook::default();
    let here = |name: &str, host: &str| {
        let credential = Credential::headers([("x-key", "s3cret")], &[host]).unwrap();
        book.put(scope(1).workspace, name, credential);
    };
    here("elsewhere", "other.example");
    here("here", "localhost");
    let (client, _records) = client_with(open_options(), &book);
    for (name, workspace, reason) in [
        ("elsewhere", 1, "bound to other hosts"),
        ("here", 1, "only sent over https"),
        ("here", 2, "no stored credential 'here'"),
        ("unknown", 1, "no stored credential 'unknown'"),
    ] {
        let request = with_credential(&peer.url_as("localhost", "/"), name);
        let refused = client.fetch(scope(workspace), request).await;
        expect_failure(&refused, 0, reason);
        assert_eq!(refused.report.source, FetchSource::Refused);
    }
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn to_an_address_of_this_very_host_a_credential_goes_without_tls() {
    let peer = Peer::start().await;
    peer.on("/", Reply::text("welcome"));
    let book = CredentialBook::default();
    let bearer = Secret::Bearer {
        token: "t0ken".to_owned(),
    };
    let bearer = bearer.credential(&["127.0.0.1".to_owned()]).unwrap();
    book.put(scope(1).workspace, "here", bearer);
    let (client, _records) = client_with(open_options(), &book);
    let request = with_credential(&peer.url("/"), "here");
    assert_eq!(text(&client.fetch(scope(1), request).await), "welcome");
    let seen = &peer.requests()[0];
    assert_eq!(seen.header("authorization"), Some("Bearer t0ken"));
}

#[tokio::test]
async fn answers_are_not_shared_between_credentials() {
    let peer = Peer::start().await;
    peer.on_sequence(
        "/",
        vec![Reply::text("one"), Reply::text("two"), Reply::text("three")],
    );
    let book = CredentialBook::default();
    let put = |name: &str, value: &str| {
        let credential = Credential::headers([("x-key", value)], &["127.0.0.1"]).unwrap();
        book.put(scope(1).workspace, name, credential.over_plain_http());
    };
    put("a", "1");
    put("b", "2");
    let (client, _records) = client_with(open_options(), &book);
    let url = peer.url("/");
    let fetch = |name| client.fetch(scope(1), with_credential(&url, name));
    assert_eq!(text(&fetch("a").await), "one");
    assert_eq!(text(&fetch("b").await), "two");
    assert_eq!(text(&fetch("a").await), "one", "from the cache");
    put("a", "3");
    assert_eq!(
        text(&fetch("a").await),
        "three",
        "a changed one is another one"
    );
    book.remove(scope(1).workspace, "a");
    expect_failure(&fetch("a").await, 0, "no stored credential");
}
