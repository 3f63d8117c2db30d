//! Writes the connected-content call log: takes what has been called, many at a time, and appends
//! it in one transaction. A log that cannot be written is counted and goes on; sending is not held
//! up for it.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::story::story;
use corkboard_fetch::FetchRecord;
use corkboard_store::ControlStore;
use corkboard_store::control_store::CallRow;
use metrics::{counter, describe_counter};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Most calls of one transaction.
const BATCH: usize = 512;
/// A store that takes longer has other worries than this log.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs until `shutdown`, then writes what is still waiting. Returns how many calls were written.
pub(super) async fn write(
    mut calls: mpsc::Receiver<FetchRecord>,
    control: Arc<dyn ControlStore>,
    shutdown: CancellationToken,
) -> u64 {
    describe_counter!(
        "corkboard_calls_written_total",
        "calls written to the call log"
    );
    describe_counter!(
        "corkboard_calls_lost_total",
        "calls that could not be written"
    );
    let mut batch = Vec::with_capacity(BATCH);
    let mut written = 0;
    loop {
        let received = calls.recv_many(&mut batch, BATCH);
        let Some(count) = shutdown.run_until_cancelled(received).await else {
            break;
        };
        if count == 0 {
            return written;
        }
        written += append(&*control, &mut batch).await;
    }
    calls.close();
    while calls.recv_many(&mut batch, BATCH).await > 0 {
        written += append(&*control, &mut batch).await;
    }
    written
}

async fn append(control: &dyn ControlStore, batch: &mut Vec<FetchRecord>) -> u64 {
    let rows: Vec<CallRow> = batch.drain(..).map(row).collect();
    let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let problem = match tokio::time::timeout(PATIENCE, control.append_calls(rows)).await {
        Ok(Ok(())) => {
            counter!("corkboard_calls_written_total").increment(count);
            return count;
        }
        Ok(Err(error)) => story(&error),
        Err(_) => format!("no answer within {PATIENCE:?}"),
    };
    counter!("corkboard_calls_lost_total").increment(count);
    tracing::warn!(
        count,
        problem,
        "the call log cannot be written; these calls are missing in it"
    );
    0
}

fn row(record: FetchRecord) -> CallRow {
    CallRow {
        at: record.at,
        workspace: record.workspace,
        campaign: record.campaign,
        method: record.method.as_str().to_owned(),
        url: record.url,
        host: record.host,
        status: record.status,
        elapsed_ms: u32::try_from(record.elapsed_ms).unwrap_or(u32::MAX),
        waited_ms: u32::try_from(record.waited_ms).unwrap_or(u32::MAX),
        bytes: record.bytes,
        outcome: record.source.as_str().to_owned(),
        attempt: record.attempt.into(),
        problem: record.problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corkboard_core::connected::{FetchMethod, FetchSource};
    use corkboard_core::id::{Id as _, WorkspaceId};
    use corkboard_core::time::Timestamp;
    use corkboard_fetch::log::CacheUse;
    use corkboard_store::control_store::CallFilter;
    use corkboard_store::page::PageRequest;
    use corkboard_store::sqlite::{SqliteControlStore, SqliteOptions};

    #[tokio::test]
    async fn what_is_waiting_at_the_shutdown_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteControlStore::open(folder.path(), &SqliteOptions::default()).unwrap();
        let control: Arc<dyn ControlStore> = Arc::new(store.clone());
        let workspace = WorkspaceId::from_bytes([7; 16]);
        let (sender, receiver) = mpsc::channel(BATCH * 2);
        for number in 0..BATCH + 1 {
            let record = FetchRecord {
                at: Timestamp::EPOCH,
                workspace,
                campaign: None,
                method: FetchMethod::Get,
                url: format!("https://example.com/{number}"),
                host: "example.com".to_owned(),
                status: 200,
                elapsed_ms: 3,
                waited_ms: 1,
                bytes: 5,
                source: FetchSource::Network,
                cache: CacheUse::Miss,
                attempt: 1,
                problem: None,
            };
            sender.try_send(record).unwrap();
        }
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        let written = write(receiver, Arc::clone(&control), shutdown).await;
        assert_eq!(written, BATCH as u64 + 1);
        let (filter, request) = (CallFilter::default(), PageRequest::default());
        let page = control
            .list_calls(workspace, &filter, &request)
            .await
            .unwrap();
        assert_eq!(page.items.len(), 50);
        assert!(sender.is_closed(), "nothing more is taken");
        store.close().await;
    }
}
