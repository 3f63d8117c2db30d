//! The connected-content call log: filtered, paged, bounded in time.

use corkboard_store::ControlStore;
use corkboard_store::control_store::{CallFilter, CallRow};
use corkboard_store::page::PageRequest;

use super::Harness;
use super::sample::{at, id};

const DAY: u64 = 86_400;

fn call(seconds: u64, host: &str, status: u16, campaign: Option<u64>) -> CallRow {
    CallRow {
        at: at(seconds),
        workspace: id(1),
        campaign: campaign.map(id),
        method: "GET".to_owned(),
        url: format!("https://{host}/offers/{seconds}?q=ü"),
        host: host.to_owned(),
        status,
        elapsed_ms: 12,
        waited_ms: 5,
        bytes: 5_000_000_000,
        outcome: if status == 0 { "refused" } else { "network" }.to_owned(),
        attempt: 1 + u32::from(status == 599),
        problem: (status == 599).then(|| "timed out".to_owned()),
    }
}

async fn list(store: &dyn ControlStore, filter: &CallFilter) -> Vec<CallRow> {
    let page = store
        .list_calls(id(1), filter, &PageRequest::default())
        .await;
    page.unwrap().items
}

pub(crate) async fn calls_are_listed_newest_first_page_by_page(harness: &dyn Harness) {
    let store = harness.open().await;
    // Two at a time share a second; the order of writing breaks the tie.
    let calls: Vec<CallRow> = (0..7)
        .map(|n| CallRow {
            elapsed_ms: n,
            ..call(u64::from(n) / 2, "a", 200, None)
        })
        .collect();
    store.append_calls(calls[..3].to_vec()).await.unwrap();
    store.append_calls(calls[3..].to_vec()).await.unwrap();
    store.append_calls(Vec::new()).await.unwrap();
    let mut listed = Vec::new();
    let mut page = PageRequest {
        limit: 3,
        after: None,
    };
    loop {
        let answer = store
            .list_calls(id(1), &CallFilter::default(), &page)
            .await
            .unwrap();
        assert!(answer.items.len() <= 3);
        listed.extend(answer.items);
        page.after = answer.next;
        if page.after.is_none() {
            break;
        }
    }
    assert_eq!(listed, calls.into_iter().rev().collect::<Vec<_>>());
}

pub(crate) async fn each_filter_and_all_together_narrow_the_list(harness: &dyn Harness) {
    let store = harness.open().await;
    let mut calls = Vec::new();
    for (place, host) in ["a.example", "b.example"].into_iter().enumerate() {
        for status in [200, 599] {
            for campaign in [None, Some(1), Some(2)] {
                let seconds = calls.len() as u64 + place as u64;
                calls.push(call(seconds, host, status, campaign));
            }
        }
    }
    store.append_calls(calls.clone()).await.unwrap();
    for host in [None, Some("b.example"), Some("c.example")] {
        for status in [None, Some(599), Some(0)] {
            for campaign in [None, Some(2), Some(3)] {
                let filter = CallFilter {
                    host: host.map(str::to_owned),
                    status,
                    campaign: campaign.map(id),
                    ..CallFilter::default()
                };
                let wanted = calls.iter().rev().filter(|call| {
                    host.is_none_or(|host| call.host == host)
                        && status.is_none_or(|status| call.status == status)
                        && campaign.is_none_or(|campaign| call.campaign == Some(id(campaign)))
                });
                let wanted: Vec<CallRow> = wanted.cloned().collect();
                assert_eq!(list(&*store, &filter).await, wanted, "{filter:?}");
            }
        }
    }
}

pub(crate) async fn outcomes_and_failures_are_found_among_many_calls(harness: &dyn Harness) {
    let store = harness.open().await;
    let calls: Vec<CallRow> = (0..60)
        .map(|n| {
            let status = [200, 204, 0, 301, 503, 299][n % 6];
            let host = ["a.example", "b.example"][n % 2];
            let call = call(n as u64, host, status, (n % 5 == 0).then_some(1));
            match n % 7 {
                3 => CallRow {
                    outcome: "stale".to_owned(),
                    ..call
                },
                _ => call,
            }
        })
        .collect();
    store.append_calls(calls.clone()).await.unwrap();
    for outcome in [
        None,
        Some("network"),
        Some("stale"),
        Some("refused"),
        Some("x"),
    ] {
        for failed in [false, true] {
            for (host, campaign) in [(None, None), (Some("a.example"), None), (None, Some(1))] {
                let filter = CallFilter {
                    host: host.map(str::to_owned),
                    campaign: campaign.map(id),
                    outcome: outcome.map(str::to_owned),
                    failed,
                    ..CallFilter::default()
                };
                let wanted = calls.iter().rev().filter(|call| {
                    outcome.is_none_or(|outcome| call.outcome == outcome)
                        && (!failed || !(200..300).contains(&call.status))
                        && host.is_none_or(|host| call.host == host)
                        && campaign.is_none_or(|campaign| call.campaign == Some(id(campaign)))
                });
                let wanted: Vec<CallRow> = wanted.take(50).cloned().collect();
                assert_eq!(list(&*store, &filter).await, wanted, "{filter:?}");
            }
        }
    }
}

pub(crate) async fn calls_of_other_workspaces_are_not_listed(harness: &dyn Harness) {
    let store = harness.open().await;
    let own = call(0, "a.example", 200, Some(1));
    let foreign = CallRow {
        workspace: id(2),
        ..call(1, "a.example", 200, Some(1))
    };
    store
        .append_calls(vec![own.clone(), foreign])
        .await
        .unwrap();
    let filters = [
        CallFilter::default(),
        CallFilter {
            host: Some("a.example".to_owned()),
            ..CallFilter::default()
        },
        CallFilter {
            status: Some(200),
            ..CallFilter::default()
        },
        CallFilter {
            campaign: Some(id(1)),
            ..CallFilter::default()
        },
        CallFilter {
            outcome: Some("network".to_owned()),
            ..CallFilter::default()
        },
    ];
    for filter in filters {
        assert_eq!(
            list(&*store, &filter).await,
            std::slice::from_ref(&own),
            "{filter:?}"
        );
    }
}

pub(crate) async fn pruning_forgets_calls_after_thirty_days(harness: &dyn Harness) {
    let store = harness.open().await;
    let calls = [0, DAY, 2 * DAY].map(|seconds| call(seconds, "a", 200, None));
    store.append_calls(calls.to_vec()).await.unwrap();
    let all = CallFilter::default();
    store.prune(at(30 * DAY)).await.unwrap();
    assert_eq!(list(&*store, &all).await.len(), 3);
    store.prune(at(31 * DAY)).await.unwrap();
    assert_eq!(list(&*store, &all).await.len(), 2);
    store.prune(at(99 * DAY)).await.unwrap();
    assert_eq!(list(&*store, &all).await, []);
    // The log goes on after it was emptied.
    store.append_calls(calls[..1].to_vec()).await.unwrap();
    assert_eq!(list(&*store, &all).await, [calls[0].clone()]);
}
