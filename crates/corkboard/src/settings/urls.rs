//! The URLs of databases as their driver reads them: a mistake there is one of the configuration,
//! not of the server.

use corkboard_config::{ServiceUrl, StoreConfig, StoreKind};
use corkboard_store::postgres::check_url;

use crate::exit::story;

/// What is wrong with the URLs of the store, each with its key.
pub(super) fn problems(store: &StoreConfig) -> Vec<String> {
    let StoreKind::Postgres { control, databases } = &store.kind else {
        return Vec::new();
    };
    let check = |key: String, url: &ServiceUrl| {
        let error = check_url(url.expose()).err()?;
        Some(format!("{key}: {url} {}", story(&error)))
    };
    let control = check("store.control".to_owned(), control);
    let databases = databases.iter().filter_map(|database| {
        check(
            format!("store.database {}: url", database.name),
            &database.url,
        )
    });
    control.into_iter().chain(databases).collect()
}
