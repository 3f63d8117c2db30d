//! Retiring a cohort: keep its counts, then drop everything at once.
//!
//! The steps, each safe to repeat: refuse new writes and finish those accepted; copy the counts to
//! `users.db` and mark the cohort as retired, in one transaction; close the file; unlink it. After a
//! crash before the transaction the cohort is live as before; after it the file is removed when
//! the store opens. Readers in flight finish on the open file.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::cohort::Cohort;
use corkboard_core::time::Timestamp;

use super::{Cohorts, Known, file};
use crate::card_store::RetiredCohort;
use crate::error::Result;
use crate::sqlite::cards::counts;
use crate::sqlite::database::Database;

impl Cohorts {
    /// Retires what ended more than `grace` before `now`, oldest first.
    pub(in crate::sqlite::cards) async fn retire(
        &self,
        users: &Database,
        now: Timestamp,
        grace: Duration,
        dry_run: bool,
    ) -> Result<Vec<RetiredCohort>> {
        let _one = self.retiring.lock().await;
        let past: Vec<Cohort> = self
            .known()
            .iter()
            .filter(|(cohort, known)| {
                !matches!(known, Known::Retired) && cohort.is_past(now, grace)
            })
            .map(|(cohort, _)| *cohort)
            .collect();
        let mut retired = Vec::with_capacity(past.len());
        for cohort in past {
            let path = file::path(&self.folder, cohort);
            let bytes = file::bytes(&path);
            if !dry_run {
                self.retire_one(users, cohort, now).await?;
                tracing::info!(%cohort, bytes, "cohort retired");
            }
            retired.push(RetiredCohort { cohort, bytes });
        }
        Ok(retired)
    }

    async fn retire_one(&self, users: &Database, cohort: Cohort, now: Timestamp) -> Result<()> {
        // A caller may have gone away in the middle of an earlier call.
        let interrupted = match self.known().get(&cohort) {
            Some(Known::Retiring(file)) => Some(Arc::clone(file)),
            _ => None,
        };
        let file = match interrupted {
            Some(file) => file,
            None => self.for_writing(cohort).await?,
        };
        file.set_retired();
        self.known()
            .insert(cohort, Known::Retiring(Arc::clone(&file)));
        let kept = async {
            file.database.stop_writing().await;
            let kept = file.database.read("read counts", counts::all).await?;
            let fold = move |connection: &rusqlite::Connection| {
                counts::fold(connection, cohort, &kept, now)
            };
            users.write("retire cohort", fold).await
        };
        // Not before the counts are kept: until then readers must find them in the file.
        let kept = kept.await;
        let next = match &kept {
            Ok(()) => Known::Retired,
            // Nothing is lost: the next use opens the file again, the next call retires it.
            Err(_) => Known::Live(Arc::default()),
        };
        self.known().insert(cohort, next);
        file.database.close().await;
        kept?;
        let path = file::path(&self.folder, cohort);
        self.readers.run(move || file::unlink(&path)).await?
    }
}
