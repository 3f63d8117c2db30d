//! PostgreSQL: the control database and every card database, connected.
//!
//! Slots are divided evenly among the card databases in the order of the configuration. Each
//! database remembers its own, so that a list of another length or order is refused.

use std::sync::Arc;

use corkboard_config::{DatabaseConfig, DatabaseLayout, ServiceUrl};
use corkboard_core::slot::SlotRange;
use corkboard_core::story::story;
use corkboard_store::postgres::{CardLayout, PgCardStore, PgControlStore, PgOptions};
use corkboard_store::routed::RoutedCardStore;
use corkboard_store::{CardStore, ControlStore, StoreError};
use tokio::task::JoinSet;

use super::CardDatabase;
use crate::exit::{Failure, Outcome};

/// What the control database is called where databases are listed.
pub(crate) const CONTROL: &str = "control";

/// Connections to every database of an installation.
#[derive(Debug, Clone)]
pub(crate) struct Databases {
    pub(crate) control: PgControlStore,
    /// In the order of the configuration.
    pub(crate) cards: Vec<Arc<PgCardStore>>,
}

impl Databases {
    /// Connects to all of them at once, and says of each that cannot be reached why.
    pub(crate) async fn connect(
        control: &ServiceUrl,
        cards: &[DatabaseConfig],
        options: &PgOptions,
    ) -> Outcome<Self> {
        let mut connecting = JoinSet::new();
        for (place, database) in cards.iter().cloned().enumerate() {
            let options = options.clone();
            connecting.spawn(async move {
                let (layout, url) = (card_layout(database.layout), database.url.expose());
                let store = PgCardStore::connect(&database.name, url, layout, &options).await;
                (place, store.map(Arc::new))
            });
        }
        let control_store = PgControlStore::connect(control.expose(), options).await;
        let mut connected = connecting.join_all().await;
        connected.sort_by_key(|(place, _)| *place);

        let mut problems = Vec::new();
        let control = control_store
            .map_err(|error| problems.push(unreachable(CONTROL, control, options, &error)));
        let mut stores = Vec::with_capacity(cards.len());
        for ((_, store), database) in connected.into_iter().zip(cards) {
            match store {
                Ok(store) => stores.push(store),
                Err(error) => {
                    problems.push(unreachable(&database.name, &database.url, options, &error));
                }
            }
        }
        match control {
            Ok(control) if problems.is_empty() => Ok(Self {
                control,
                cards: stores,
            }),
            _ => Err(Failure::Unavailable(problems.join("; "))),
        }
    }

    /// Fails unless every database has the schema that this program was made for.
    pub(crate) async fn check(&self) -> Outcome {
        let mut failures = Vec::new();
        if let Err(error) = self.control.check().await {
            failures.push(named(CONTROL, error));
        }
        for (store, slots) in self.by_slots() {
            let checked = match store.check().await {
                Ok(()) => store.claim_slots(slots).await,
                checked => checked,
            };
            if let Err(error) = checked {
                failures.push(named(store.name(), error));
            }
        }
        Failure::all(failures)
    }

    /// The card databases with the slots that each has by the configuration.
    pub(crate) fn by_slots(&self) -> impl Iterator<Item = (&Arc<PgCardStore>, SlotRange)> {
        let parts = u16::try_from(self.cards.len()).unwrap_or(u16::MAX);
        self.cards.iter().zip(SlotRange::split(parts))
    }

    /// The control store as everybody uses it.
    pub(super) fn control(&self) -> Arc<dyn ControlStore> {
        Arc::new(self.control.clone())
    }

    /// All card databases as one.
    pub(super) fn routed(&self) -> Outcome<Arc<dyn CardStore>> {
        let cards = self.by_slots();
        let cards = cards.map(|(store, slots)| (slots, Arc::clone(store) as Arc<dyn CardStore>));
        let routed = RoutedCardStore::new(cards.collect()).map_err(|error| {
            Failure::usage(format!("store.database: 1 to 4096 are possible: {error}"))
        })?;
        Ok(Arc::new(routed))
    }

    /// Every card database by itself.
    pub(super) fn apart(&self) -> Vec<CardDatabase> {
        let cards = self.cards.iter().cloned();
        let apart = cards.map(|store| CardDatabase {
            name: store.name().to_owned(),
            cards: store,
        });
        apart.collect()
    }

    /// Closes the connections: those of cards first.
    pub(crate) fn close(&self) {
        for store in &self.cards {
            store.close();
        }
        self.control.close();
    }
}

/// The control database alone, connected and of the right schema.
pub(super) async fn control(url: &ServiceUrl, connections: usize) -> Outcome<PgControlStore> {
    let options = options(connections);
    let connected = PgControlStore::connect(url.expose(), &options).await;
    let control = connected
        .map_err(|error| Failure::Unavailable(unreachable(CONTROL, url, &options, &error)))?;
    match control.check().await {
        Ok(()) => Ok(control),
        Err(error) => {
            control.close();
            Err(named(CONTROL, error))
        }
    }
}

pub(crate) fn options(connections: usize) -> PgOptions {
    PgOptions {
        connections,
        ..PgOptions::default()
    }
}

/// A layout as the store calls it.
pub(crate) fn card_layout(layout: DatabaseLayout) -> CardLayout {
    match layout {
        DatabaseLayout::Cohorts => CardLayout::Cohorts,
        DatabaseLayout::Flat => CardLayout::Flat,
    }
}

/// What a database's error means, with the name of the database before it.
pub(crate) fn named(database: &str, error: StoreError) -> Failure {
    Failure::from(error).about(database)
}

fn unreachable(name: &str, url: &ServiceUrl, options: &PgOptions, error: &StoreError) -> String {
    // A server that accepts and never answers looks like a busy one.
    if matches!(error, StoreError::Overloaded) {
        let patience = options.connect;
        return format!("{name}: {url} gives no connection within {patience:?}");
    }
    format!("{name}: {}", story(error))
}

/// What the stores count by themselves.
pub(crate) fn describe_metrics() {
    metrics::describe_counter!(
        "corkboard_store_acquire_timeouts_total",
        "calls refused because a database gave no connection in time"
    );
    metrics::describe_counter!(
        "corkboard_store_cohorts_made_late_total",
        "cohorts made for the first card instead of ahead"
    );
    metrics::describe_histogram!(
        "corkboard_store_reports_per_transaction",
        "reports of events recorded together"
    );
    metrics::describe_histogram!(
        "corkboard_store_users_per_read",
        "users whose cards were read by one statement"
    );
}
