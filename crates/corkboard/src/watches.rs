//! The PostgreSQL databases that the configuration names, each with its watch: for the node, which
//! keeps looking, and for the doctor, who looks once.

use corkboard_config::{DatabaseLayout, StoreConfig, StoreKind};
use corkboard_core::time::SharedClock;
use corkboard_store::postgres::watch::{DatabaseWatch, Expected, Layout, Purpose};

use crate::exit::Outcome;
use crate::stores::CONTROL;

/// A watch for each database, the control database first; none for the embedded store. Nothing is
/// connected yet.
pub(crate) fn of(store: &StoreConfig, clock: &SharedClock) -> Outcome<Vec<DatabaseWatch>> {
    let StoreKind::Postgres { control, databases } = &store.kind else {
        return Ok(Vec::new());
    };
    let watch = |name: &str, url: &str, purpose| {
        let expected = Expected {
            purpose,
            connections: store.connections,
            grace: store.grace,
        };
        Ok(DatabaseWatch::new(name, url, expected, clock.clone())?)
    };
    let control = watch(CONTROL, control.expose(), Purpose::Control);
    let cards = databases.iter().map(|database| {
        let layout = match database.layout {
            DatabaseLayout::Cohorts => Layout::Cohorts,
            DatabaseLayout::Flat => Layout::Flat,
        };
        watch(
            &database.name,
            database.url.expose(),
            Purpose::Cards(layout),
        )
    });
    std::iter::once(control).chain(cards).collect()
}
