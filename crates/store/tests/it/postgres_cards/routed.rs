//! Cards spread over several databases.

use std::sync::Arc;

use corkboard_core::slot::{Slot, SlotRange};
use corkboard_store::CardStore;
use corkboard_store::postgres::CardLayout;
use corkboard_store::routed::RoutedCardStore;
use corkboard_testkit::PgServer;

use super::migrated;
use crate::cards::sample::{Sending, inserted, users, workspace};

#[tokio::test]
async fn every_user_is_on_the_database_that_owns_the_slot() {
    let server = PgServer::shared().await;
    let (first, second) = (server.database().await, server.database().await);
    let mut stores: Vec<Arc<dyn CardStore>> = Vec::new();
    for database in [&first, &second] {
        stores.push(Arc::new(migrated(database, CardLayout::Cohorts).await));
    }
    let store = RoutedCardStore::even(stores).unwrap();
    let sending = Sending::new(1);
    let to = users(0..100);
    assert_eq!(inserted(&sending.write(&store, &to).await.unwrap()), 100);
    let upper: usize = to
        .iter()
        .filter(|user| Slot::of(workspace(), user).number() >= 2_048)
        .count();
    let count = "SELECT count(*), coalesce(min(slot), 2048) >= 2048, coalesce(max(slot), 0) < 2048 FROM card";
    assert_eq!(second.sql(count).await.trim(), format!("{upper}|t|f"));
    assert_eq!(
        first.sql(count).await.trim(),
        format!("{}|f|t", 100 - upper)
    );
    // Both have the cohort, whoever was written to.
    let cohorts = "SELECT string_agg(name, ' ') FROM cohort";
    assert_eq!(first.sql(cohorts).await, second.sql(cohorts).await);
}

#[test]
fn slots_without_a_database_are_refused() {
    let parts: Vec<SlotRange> = SlotRange::split(2).collect();
    let refused = RoutedCardStore::new(Vec::new()).unwrap_err();
    assert_eq!(refused.slot, 0);
    assert!(RoutedCardStore::even(Vec::new()).is_err());
    assert!(
        refused.to_string().contains("slot 0"),
        "{refused} {parts:?}"
    );
}
