//! The files of cohorts: found when the store opens, opened when first used, bounded in number.

mod file;
mod retire;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corkboard_core::cohort::Cohort;
use tokio::sync::OnceCell;

pub(super) use file::{CohortFile, Shared};

use crate::error::{Result, StoreError};
use crate::sqlite::database::{Database, Readers};
use crate::sqlite::failure;
use crate::sqlite::options::SqliteOptions;

const MIGRATIONS: &[&str] = &[include_str!("../schema/cards_0001.sql")];
/// Most files at a time. Lifetimes of up to 90 days keep at most 16 cohorts alive; the rest is for
/// ended ones that nobody has retired yet.
const MAX_FILES: usize = 64;

/// All cohorts of a store.
#[derive(Debug)]
pub(super) struct Cohorts {
    folder: PathBuf,
    options: SqliteOptions,
    readers: Readers,
    known: Mutex<BTreeMap<Cohort, Known>>,
    /// One retirement at a time.
    retiring: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
enum Known {
    /// A file that is opened by the first one who needs it, while the others wait.
    Live(Arc<OnceCell<Arc<CohortFile>>>),
    /// Its counts are being kept: still read, no longer written.
    Retiring(Arc<CohortFile>),
    /// Its counts are kept; the file is gone, or about to go.
    Retired,
}

impl Cohorts {
    /// Looks which files there are. Those of retired cohorts, left behind by a crash, are removed.
    pub(super) fn find(
        folder: &Path,
        options: &SqliteOptions,
        readers: &Readers,
        retired: impl IntoIterator<Item = Cohort>,
    ) -> Result<Self> {
        let mut known: BTreeMap<_, _> = retired
            .into_iter()
            .map(|cohort| (cohort, Known::Retired))
            .collect();
        let at = |error: std::io::Error| failure::unavailable(folder, error);
        for entry in std::fs::read_dir(folder).map_err(at)? {
            let Some(cohort) = cohort_of(&entry.map_err(at)?.path()) else {
                continue;
            };
            if let Some(Known::Retired) = known.get(&cohort) {
                file::unlink(&file::path(folder, cohort))?;
            } else {
                known.insert(cohort, Known::Live(Arc::default()));
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            options: options.clone(),
            readers: readers.clone(),
            known: Mutex::new(known),
            retiring: tokio::sync::Mutex::new(()),
        })
    }

    /// The file of a cohort, created if need be. Fails for a retired cohort.
    pub(super) async fn for_writing(&self, cohort: Cohort) -> Result<Arc<CohortFile>> {
        let cell = {
            let mut known = self.known();
            let live = known
                .values()
                .filter(|known| !matches!(known, Known::Retired))
                .count();
            match known.get(&cohort) {
                Some(Known::Live(cell)) => Arc::clone(cell),
                Some(Known::Retiring(_) | Known::Retired) => {
                    return Err(StoreError::NoSuchCohort(cohort));
                }
                None if live >= MAX_FILES => {
                    return Err(StoreError::TooManyCohorts { most: MAX_FILES });
                }
                None => {
                    let cell = Arc::default();
                    known.insert(cohort, Known::Live(Arc::clone(&cell)));
                    cell
                }
            }
        };
        self.open(cohort, &cell).await
    }

    /// The files of all cohorts that can be read and that `wanted` accepts.
    pub(super) async fn live(
        &self,
        wanted: impl Fn(Cohort) -> bool,
    ) -> Result<Vec<Arc<CohortFile>>> {
        let cells: Vec<_> = self
            .known()
            .iter()
            .filter_map(|(cohort, known)| match known {
                _ if !wanted(*cohort) => None,
                Known::Live(cell) => Some((*cohort, Arc::clone(cell))),
                Known::Retiring(file) => Some((
                    *cohort,
                    Arc::new(OnceCell::new_with(Some(Arc::clone(file)))),
                )),
                Known::Retired => None,
            })
            .collect();
        let mut files = Vec::with_capacity(cells.len());
        for (cohort, cell) in cells {
            files.push(self.open(cohort, &cell).await?);
        }
        Ok(files)
    }

    async fn open(
        &self,
        cohort: Cohort,
        cell: &OnceCell<Arc<CohortFile>>,
    ) -> Result<Arc<CohortFile>> {
        if let Some(file) = cell.get() {
            return Ok(Arc::clone(file));
        }
        let open = || async {
            let path = file::path(&self.folder, cohort);
            let (options, readers) = (self.options.clone(), self.readers.clone());
            let open = move || Database::open_beside(&path, MIGRATIONS, &options, &readers);
            let database = self.readers.run(open).await??;
            Ok::<_, StoreError>(Arc::new(CohortFile::new(cohort, database)))
        };
        Ok(Arc::clone(cell.get_or_try_init(open).await?))
    }

    /// The files that are open at the moment.
    pub(super) fn opened(&self) -> Vec<Arc<CohortFile>> {
        let known = self.known();
        let cells = known.values().filter_map(|known| match known {
            Known::Live(cell) => cell.get().cloned(),
            Known::Retiring(file) => Some(Arc::clone(file)),
            Known::Retired => None,
        });
        cells.collect()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Cohort, Known>> {
        // The map is whole whatever the holder did.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The cohort that a file of this name holds.
fn cohort_of(path: &Path) -> Option<Cohort> {
    path.file_name()?
        .to_str()?
        .strip_prefix("cards-")?
        .strip_suffix(".db")?
        .parse()
        .ok()
}
