//! The sender itself: its neighbours, its bounds, and the tasks that it runs.

use std::sync::Arc;

use corkboard_core::campaign::{Campaign, CampaignDefinition, Invalid};
use corkboard_core::hint::FeedChanges;
use corkboard_core::id::{CampaignId, WorkspaceId};
use corkboard_core::time::Timestamp;
use corkboard_store::{CardStore, ControlStore};
use corkboard_template::personal::CompiledCampaign;
use tokio::sync::{Mutex, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::compiled::CompiledCache;
use crate::error::{Result, SendError};
use crate::options::{Deps, SendOptions};
use crate::places::Places;
use crate::waiting::WaitingRoom;
use crate::{meters, scheduler, worker};

/// Sends campaigns. Clones are the same sender.
#[derive(Debug, Clone)]
pub struct Sender {
    pub(crate) inner: Arc<Inner>,
}

/// What the parts of a sender share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) deps: Deps,
    pub(crate) options: SendOptions,
    pub(crate) compiled: CompiledCache,
    pub(crate) waiting: WaitingRoom,
    /// Walks that may compute at a time.
    pub(crate) seats: Arc<Semaphore>,
    /// Chunks that may wait for fetches.
    pub(crate) places: Places,
    /// Held until a chunk that was claimed has its place, so that no two claims count on the same.
    pub(crate) claiming: Mutex<()>,
    /// Changes whenever there may be chunks to claim, so that workers here need not poll for them.
    pub(crate) wake: watch::Sender<u64>,
    /// Held while a broadcast's occurrence is chosen, so that two launches do not choose the same.
    pub(crate) relaunch: Mutex<()>,
}

impl Sender {
    #[must_use]
    pub fn new(deps: Deps, options: SendOptions) -> Self {
        meters::describe();
        let options = options.sound();
        let compiled = CompiledCache::new(options.compiled_campaigns, options.template_limits);
        let (wake, _) = watch::channel(0);
        let seats = options.workers.min(Semaphore::MAX_PERMITS);
        let places = Places::new(options.workers);
        Self {
            inner: Arc::new(Inner {
                deps,
                options,
                compiled,
                waiting: WaitingRoom::default(),
                seats: Arc::new(Semaphore::new(seats)),
                places,
                claiming: Mutex::default(),
                wake,
                relaunch: Mutex::default(),
            }),
        }
    }

    /// Everything that is wrong with a definition as of now, its templates included.
    #[must_use]
    pub fn check(&self, definition: &CampaignDefinition) -> Vec<Invalid> {
        let mut problems = definition.problems(self.now());
        let templates =
            match CompiledCampaign::compile(definition, &self.inner.options.template_limits) {
                Ok(compiled) => compiled.too_large(self.inner.options.card_bytes),
                Err(templates) => templates,
            };
        for problem in templates {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        problems
    }

    /// Starts the workers and the scheduler. They end soon after `shutdown`: a worker finishes what
    /// it has rendered and gives its chunk back. Await `tasks` for that.
    pub fn run(&self, tasks: &TaskTracker, shutdown: CancellationToken) {
        for number in 0..self.inner.options.workers {
            let worker = worker::run(self.clone(), number, tasks.clone(), shutdown.clone());
            tasks.spawn(worker);
        }
        tasks.spawn(scheduler::run(self.clone(), shutdown));
    }

    /// Tells the workers of this process that there may be chunks.
    pub(crate) fn wake(&self) {
        self.inner
            .wake
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(crate) fn cards(&self) -> &dyn CardStore {
        &*self.inner.deps.cards
    }

    pub(crate) fn control(&self) -> &dyn ControlStore {
        &*self.inner.deps.control
    }

    pub(crate) fn changes(&self) -> &dyn FeedChanges {
        &*self.inner.deps.changes
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.deps.clock.now()
    }

    /// The compiled form of a frozen definition.
    pub(crate) fn compiled(
        &self,
        campaign: CampaignId,
        version: u32,
        definition: &CampaignDefinition,
    ) -> Result<Arc<CompiledCampaign>> {
        self.inner
            .compiled
            .get(campaign, version, definition)
            .map_err(SendError::Invalid)
    }

    pub(crate) async fn campaign(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
    ) -> Result<Campaign> {
        let found = self.control().find_campaign(workspace, campaign).await?;
        found.ok_or(SendError::NotFound { what: "campaign" })
    }
}
