//! The URLs of databases as their driver reads them: a mistake there is one of the configuration,
//! not of the server.

use corkboard_config::{Config, ServiceUrl, StoreKind};
use corkboard_core::story::story;
use corkboard_store::postgres::check_url;

/// What is wrong with the URLs of PostgreSQL servers, each with its key.
pub(super) fn problems(config: &Config) -> Vec<String> {
    let check = |key: String, url: &ServiceUrl| {
        let error = check_url(url.expose()).err()?;
        Some(format!("{key}: {url} {}", story(&error)))
    };
    let source = config.origin.database.as_ref();
    let source = source.and_then(|url| check("origin.database".to_owned(), url));
    let StoreKind::Postgres { control, databases } = &config.store.kind else {
        return source.into_iter().collect();
    };
    let control = check("store.control".to_owned(), control);
    let databases = databases.iter().filter_map(|database| {
        check(
            format!("store.database {}: url", database.name),
            &database.url,
        )
    });
    control.into_iter().chain(databases).chain(source).collect()
}
