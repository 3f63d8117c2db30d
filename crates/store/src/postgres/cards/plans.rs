//! How the database runs the statements that are run often. A plan is part of what is reviewed.

use std::time::Duration;

use corkboard_core::cohort::Cohort;

use super::CardDatabase;
use super::tables::Tables;
use super::{
    card_events, contents, counts, erase, own, read, receipts, scan, states, user_events, users,
    write,
};
use crate::card_store::ScanDetail;
use crate::error::Result;
use crate::postgres::plan;

const STATEMENT: Duration = Duration::from_secs(10);
const LOCK: Duration = Duration::from_secs(2);

/// A statement's name and the lines of its plan, without costs.
pub type Plan = (&'static str, Vec<String>);

/// Plans for whatever the parameters are, as a connection keeps them.
pub(super) async fn of(store: &CardDatabase, cohorts: &[Cohort]) -> Result<Vec<Plan>> {
    let session = store.pool.maintenance(STATEMENT, LOCK).await?;
    let sources = store.cohorts.sources(cohorts.iter().copied());
    let mut plans = Vec::new();
    for (name, sql) in hot(&sources) {
        plans.push((name, plan::generic_of(&session, name, &sql).await?));
    }
    Ok(plans)
}

fn hot(sources: &[Tables]) -> Vec<(&'static str, String)> {
    let plain = [
        users::FIND,
        users::EVENTS,
        users::LOCK,
        users::INSERT,
        users::UPDATE,
        users::TOTAL,
        user_events::REMEMBER,
        user_events::ENSURE,
        user_events::SUMMARISE,
        scan::EVERYONE,
        receipts::OF_USER,
        receipts::OF_CAMPAIGN,
        erase::BURY,
        erase::DELETE_USER,
        erase::DELETE_EVENTS,
        erase::DELETE_RECEIPTS,
        super::cohorts::LIST,
        super::numbers::WORKSPACE,
        super::numbers::CAMPAIGN,
    ];
    let mut hot: Vec<_> = plain
        .iter()
        .map(|one| (one.name, one.sql.to_owned()))
        .collect();
    for (name, detail) in [
        ("scan users", ScanDetail::Attributes),
        ("scan user ids", ScanDetail::Ids),
    ] {
        hot.push((name, scan::page_sql(detail, "true")));
    }
    hot.push(("read cards", read::of_one(sources)));
    hot.push((
        "look for cards to remove",
        card_events::to_remove_sql(sources),
    ));
    hot.push(("counts of campaign", counts::of_campaign_sql(sources)));
    hot.push(("written by dispatch", counts::written_sql(sources)));
    let Some(one) = sources.first() else {
        return hot;
    };
    hot.push(("read cards of many", read::of_many(sources)));
    let [cards, card_states, events] = erase::DELETE_CARDS;
    let of_cohort = [
        ("look at fence", write::FENCE),
        ("look at receipts", write::LOOK),
        ("look for erasures", write::ERASED_SINCE),
        ("look for erased users", write::ERASED_OF),
        ("look for own cards", own::OWN),
        ("claim receipts", write::CLAIM),
        ("renew receipts", write::RENEW),
        ("insert cards", write::INSERT),
        ("contents of dispatch", contents::OF_DISPATCH),
        ("read contents", contents::READ),
        ("remember card events", card_events::REMEMBER),
        ("new states", states::NEW),
        ("read states", states::OF_CARDS),
        ("change states", states::CHANGE),
        ("count", counts::ADD),
        ("count cards", counts::SENT),
        ("erase cards", cards),
        ("erase states", card_states),
        ("erase card events", events),
    ];
    hot.extend(of_cohort.map(|(name, sql)| (name, one.sql(sql))));
    hot
}
