//! TLS to the source, as far as its URL asks for it.

use std::error::Error as _;
use std::sync::Arc;

use corkboard_origin::describe;
use corkboard_testkit::{PgServer, PgSettings};

use crate::world::{World, endpoints, make, options};

/// How many of an origin's connections are encrypted, and how many there are.
const ENCRYPTED: &str = "SELECT count(*) FILTER (WHERE s.ssl) || ' of ' || count(*)
    FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
    WHERE a.datname = current_database() AND a.application_name = 'corkboard-origin'";

#[tokio::test]
async fn the_url_of_the_source_decides_how_far_tls_goes() {
    let server = Arc::new(PgServer::start(PgSettings::quick().encrypted()).await);
    let root = format!("sslrootcert={}", server.certificate().display());
    let shop = make(&server).await;
    let url = |host: &str, options: &str| {
        let url = shop.url().replace("127.0.0.1", host);
        format!("{url}?{options}")
    };
    // One connection follows the journal, one waits to apply it, one reads.
    for (host, parameters, expected) in [
        ("127.0.0.1", "sslmode=disable", "0 of 3"),
        ("127.0.0.1", "sslmode=require", "3 of 3"),
        (
            "localhost",
            &format!("sslmode=verify-full&{root}"),
            "3 of 3",
        ),
    ] {
        let world = World::start(&url(host, parameters), None).await;
        world.get("/users/1/offer").await.expect_status(200);
        corkboard_testkit::wait_until(crate::world::SOON, parameters, || async {
            let found = shop.sql(ENCRYPTED).await;
            (found.trim() == expected).then_some(()).ok_or(found)
        })
        .await;
        world.stop().await;
    }
    let strangers = url("localhost", "sslmode=verify-full");
    let refused = describe(&strangers, &endpoints(), &options().source).await;
    let refused = refused.unwrap_err();
    let cause = refused.source().and_then(|cause| cause.source());
    let cause = cause.map(ToString::to_string).unwrap_or_default();
    assert!(cause.contains("UnknownIssuer"), "{refused:?}");
}

#[tokio::test]
async fn a_source_without_tls_is_refused_when_tls_is_required() {
    let shop = crate::world::shop().await;
    let url = format!("{}?sslmode=require", shop.url());
    let refused = describe(&url, &endpoints(), &options().source).await;
    let refused = format!("{:?}", refused.unwrap_err());
    assert!(refused.contains("does not support TLS"), "{refused}");
}
