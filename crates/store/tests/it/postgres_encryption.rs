//! TLS to PostgreSQL, as far as the URL asks for it.

use std::sync::Arc;

use corkboard_store::postgres::{CardLayout, PgCardStore, PgOptions};
use corkboard_testkit::{PgDatabase, PgServer, PgSettings};

/// The database under another name of its host, with these options.
fn url(database: &PgDatabase, host: &str, options: &str) -> String {
    let url = database.url().replace("127.0.0.1", host);
    format!("{url}{options}")
}

async fn connect(url: &str) -> Result<PgCardStore, String> {
    let options = PgOptions::default();
    let store = PgCardStore::connect("cards", url, CardLayout::Cohorts, &options).await;
    store.map_err(|error| story(&error))
}

fn story(mut error: &dyn std::error::Error) -> String {
    let mut story = error.to_string();
    while let Some(source) = error.source() {
        error = source;
        story = format!("{story}: {error}");
    }
    story
}

/// How many of our connections are encrypted, and how many there are.
async fn encrypted(database: &PgDatabase) -> String {
    let sql = "SELECT count(*) FILTER (WHERE s.ssl) || ' of ' || count(*) FROM pg_stat_ssl s
               JOIN pg_stat_activity a USING (pid)
               WHERE a.datname = current_database() AND a.application_name = 'corkboard'";
    database.sql(sql).await.trim().to_owned()
}

#[tokio::test]
async fn a_url_decides_how_far_tls_goes() {
    let server = Arc::new(PgServer::start(PgSettings::quick().encrypted()).await);
    let certificate = server.certificate();
    let root = format!("sslrootcert={}", certificate.display());
    for (host, options, expected) in [
        // As PostgreSQL's own clients do: encrypted when the server offers it.
        ("127.0.0.1", String::new(), "2 of 2"),
        ("127.0.0.1", "?sslmode=prefer".to_owned(), "2 of 2"),
        ("127.0.0.1", "?sslmode=disable".to_owned(), "0 of 2"),
        ("127.0.0.1", "?sslmode=require".to_owned(), "2 of 2"),
        (
            "localhost",
            format!("?sslmode=verify-full&{root}"),
            "2 of 2",
        ),
        ("localhost", format!("?{root}&sslmode=require"), "2 of 2"),
    ] {
        let database = server.database().await;
        let url = url(&database, host, &options);
        let store = connect(&url)
            .await
            .unwrap_or_else(|error| panic!("{options}: {error}"));
        assert_eq!(encrypted(&database).await, expected, "{host} {options}");
        store.close();
    }
    let database = server.database().await;
    for (host, options, problem) in [
        (
            "127.0.0.1",
            format!("?sslmode=verify-full&{root}"),
            "not valid for name",
        ),
        (
            "127.0.0.1",
            format!("?sslmode=require&{root}"),
            "not valid for name",
        ),
        (
            "localhost",
            "?sslmode=verify-full".to_owned(),
            "UnknownIssuer",
        ),
    ] {
        let refused = connect(&url(&database, host, &options)).await.unwrap_err();
        assert!(refused.contains(problem), "{host} {options}: {refused}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_when_tls_is_required() {
    let database = PgServer::shared().await.database().await;
    let refused = connect(&url(&database, "127.0.0.1", "?sslmode=require")).await;
    let refused = refused.unwrap_err();
    assert!(refused.contains("server does not support TLS"), "{refused}");
    let store = connect(&url(&database, "127.0.0.1", "?sslmode=prefer")).await;
    store.unwrap().close();
}
