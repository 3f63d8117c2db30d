//! Whether a balancer should send requests here: not while starting or draining, not without the
//! control database, and not when every card database is away.
//!
//! One card database of several that is away makes no node unready: it would take all nodes from the
//! users of the others. The report names it. Nor does a database whose cohorts are not made ahead any
//! more: all is well today, and the report says until when. What is asked goes over connections of its own, so that
//! a node under load stays ready.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use corkboard_config::{StoreConfig, StoreKind};
use corkboard_core::story::story;
use corkboard_core::time::{SharedClock, Timestamp};
use corkboard_store::ControlStore;
use corkboard_store::postgres::{PgCardStore, PgPing};
use futures_util::future::join_all;
use futures_util::join;
use serde::Serialize;
use tokio::time::timeout;

use crate::exit::Outcome;
use crate::stores::{CONTROL, Stores};

/// A store that takes longer than this is as good as none.
const PATIENCE: Duration = Duration::from_secs(2);
const OK: &str = "ok";
/// Cohorts are made for two weeks ahead. Less than half of it, and no keeper has come for a week.
const HEADROOM: Duration = Duration::from_secs(7 * 86_400);

/// Shared by the admin listener, which asks, and the shutdown, which tells.
#[derive(Debug, Clone)]
pub(super) struct Readiness {
    asked: Arc<Asked>,
    serving: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Asked {
    /// Serves from what it remembers whatever else is away.
    Nothing,
    Embedded(Arc<dyn ControlStore>),
    /// By name, the control database first.
    Postgres {
        pings: Vec<(String, PgPing)>,
        cards: Vec<Arc<PgCardStore>>,
        clock: SharedClock,
    },
}

/// The body of `/readyz`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) ready: bool,
    /// `serving`, or `draining` (also before the start).
    state: &'static str,
    /// `ok`, or why the node is not ready.
    store: String,
    /// `ok` or what is wrong, for each PostgreSQL database.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    databases: BTreeMap<String, String>,
    /// What works, and soon will not if nobody does anything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    degraded: Vec<String>,
}

impl Readiness {
    pub(super) fn new(config: &StoreConfig, stores: &Stores, clock: &SharedClock) -> Outcome<Self> {
        let asked = match &config.kind {
            StoreKind::Sqlite { .. } => Asked::Embedded(Arc::clone(&stores.control)),
            StoreKind::Postgres { control, databases } => {
                let mut pings = vec![(CONTROL.to_owned(), PgPing::new(control.expose())?)];
                for database in databases {
                    let ping = PgPing::new(database.url.expose())?;
                    pings.push((database.name.clone(), ping));
                }
                Asked::Postgres {
                    pings,
                    cards: stores.postgres().to_vec(),
                    clock: clock.clone(),
                }
            }
        };
        Ok(Self {
            asked: Arc::new(asked),
            serving: Arc::default(),
        })
    }

    /// Of an origin, which has no store.
    pub(super) fn of_origin() -> Self {
        Self {
            asked: Arc::new(Asked::Nothing),
            serving: Arc::default(),
        }
    }

    /// From now on requests are welcome, or not.
    pub(super) fn set(&self, serving: bool) {
        self.serving.store(serving, Ordering::Relaxed);
    }

    /// Looks at everything that serving needs.
    pub(super) async fn report(&self) -> Report {
        let serving = self.serving.load(Ordering::Relaxed);
        let mut degraded = Vec::new();
        let (store, databases) = match &*self.asked {
            Asked::Nothing => (OK.to_owned(), BTreeMap::new()),
            Asked::Embedded(control) => {
                let store = match timeout(PATIENCE, control.describe()).await {
                    Ok(Ok(_)) => OK.to_owned(),
                    Ok(Err(error)) => story(&error),
                    Err(_) => format!("no answer within {PATIENCE:?}"),
                };
                (store, BTreeMap::new())
            }
            Asked::Postgres {
                pings,
                cards,
                clock,
            } => {
                let asked = pings.iter().map(|(_, ping)| async {
                    match timeout(PATIENCE, ping.ask()).await {
                        Ok(Ok(())) => OK.to_owned(),
                        Ok(Err(error)) => story(&error),
                        Err(_) => format!("no answer within {PATIENCE:?}"),
                    }
                });
                let now = clock.now();
                let short = join_all(cards.iter().map(|one| short_of_cohorts(one, now)));
                let (answers, short) = join!(join_all(asked), short);
                degraded.extend(short.into_iter().flatten());
                let databases = pings.iter().map(|(name, _)| name.clone()).zip(answers);
                let databases: Vec<(String, String)> = databases.collect();
                (verdict(&databases), databases.into_iter().collect())
            }
        };
        Report {
            ready: serving && store == OK,
            state: if serving { "serving" } else { "draining" },
            store,
            databases,
            degraded,
        }
    }

    /// Closes the connections.
    pub(super) fn close(&self) {
        if let Asked::Postgres { pings, .. } = &*self.asked {
            pings.iter().for_each(|(_, ping)| ping.close());
        }
    }
}

/// That cohorts are not made ahead, if so. A database that cannot be asked is told of elsewhere.
async fn short_of_cohorts(cards: &PgCardStore, now: Timestamp) -> Option<String> {
    let headroom = timeout(PATIENCE, cards.cohort_headroom(now, HEADROOM)).await;
    let headroom = headroom.ok()?.ok()?;
    let days = headroom.as_secs() / 86_400;
    (headroom < HEADROOM).then(|| {
        format!(
            "{}: every card finds its cohort for {days} more days: is a keeper running?",
            cards.name()
        )
    })
}

/// `ok`, or what keeps the node from serving anybody. The control database comes first.
fn verdict(databases: &[(String, String)]) -> String {
    let Some(((name, control), cards)) = databases.split_first() else {
        return OK.to_owned();
    };
    if control != OK {
        return format!("{name}: {control}");
    }
    if cards.iter().any(|(_, answer)| answer == OK) {
        return OK.to_owned();
    }
    let away: Vec<String> = cards
        .iter()
        .map(|(name, answer)| format!("{name}: {answer}"))
        .collect();
    away.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_card_database_of_several_may_be_away_but_not_control() {
        let answers = |control: &str, cards: [&str; 2]| {
            let named = [("control", control), ("a", cards[0]), ("b", cards[1])];
            let named = named.map(|(name, answer)| (name.to_owned(), answer.to_owned()));
            verdict(&named)
        };
        assert_eq!(answers(OK, [OK, OK]), OK);
        assert_eq!(answers(OK, ["gone", OK]), OK);
        assert_eq!(answers(OK, ["gone", "lost"]), "a: gone; b: lost");
        assert_eq!(answers("gone", [OK, OK]), "control: gone");
    }
}
