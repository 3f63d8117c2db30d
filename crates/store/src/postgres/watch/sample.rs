//! One look at a database: everything that is judged, read without changing anything.

use corkboard_core::time::{Clock, Timestamp};

use super::ages::Ages;
use super::burn::Rate;
use super::finding::Finding;
use super::horizon::{self, Holder};
use super::partitions::{Layout, Partitions};
use super::rights::Rights;
use super::schema::{self, Versions};
use super::server::Server;
use super::settings::Settings;
use super::{Expected, Purpose, ids};
use crate::error::Result;
use crate::postgres::session::Session;

/// What one look saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When, by our clock.
    pub at: Timestamp,
    pub server: Server,
    pub ages: Ages,
    /// Who holds the horizon, oldest first.
    pub holders: Vec<Holder>,
    pub partitions: Partitions,
    pub settings: Settings,
    pub rights: Rights,
    /// Schema versions by schema.
    pub schemas: Versions,
}

impl Sample {
    pub(super) async fn read(session: &Session, clock: &dyn Clock) -> Result<Self> {
        let server = Server::read(session, clock).await?;
        Ok(Self {
            at: clock.now(),
            server,
            ages: Ages::read(session).await?,
            holders: horizon::read(session).await?,
            partitions: Partitions::read(session).await?,
            settings: Settings::read(session).await?,
            rights: Rights::read(session).await?,
            schemas: schema::read(session).await?,
        })
    }

    pub(super) fn judge(&self, expected: &Expected, rate: Option<Rate>) -> Vec<Finding> {
        let mut findings = self.server.judge();
        findings.extend(self.rights.judge());
        findings.push(schema::judge(&self.schemas, expected.purpose.schema()));
        findings.extend(self.settings.judge_durability());
        findings.extend(ids::judge_xids(&self.ages, &self.settings, rate));
        findings.push(ids::judge_mxids(&self.ages, &self.settings));
        findings.extend(horizon::judge(&self.holders));
        let in_a_life = rate.filter(Rate::is_meaningful);
        let in_a_life = in_a_life.map(|rate| rate.ids_in(expected.longest_life()));
        findings.extend(self.settings.judge_vacuum(in_a_life));
        findings.extend(self.partitions.judge());
        match expected.purpose {
            Purpose::Control => findings.extend(self.partitions.judge_control(self.at)),
            Purpose::Cards(layout) => findings.extend(self.judge_layout(layout, expected)),
        }
        findings.push(self.settings.judge_locks(self.partitions.most_leaves()));
        findings.push(self.settings.judge_connections(expected.connections));
        findings
    }

    fn judge_layout(&self, wanted: Layout, expected: &Expected) -> Vec<Finding> {
        match (wanted, self.partitions.layout) {
            // There is no schema yet, which has been said.
            (_, None) => Vec::new(),
            (Layout::Cohorts, Some(Layout::Cohorts)) => {
                self.partitions.judge_cohorts(self.at, expected.grace)
            }
            (Layout::Flat, Some(Layout::Flat)) => {
                vec![Finding::ok(
                    "cohorts",
                    "one table, rows are deleted when they have expired",
                )]
            }
            (wanted, Some(found)) => vec![Finding::fail(
                "cohorts",
                format!(
                    "the layout is {}, configured is {}",
                    found.as_str(),
                    wanted.as_str()
                ),
                "correct the database's layout in [[store.database]]",
            )],
        }
    }
}
