//! Which campaigns may still give cards: what card databases must not forget about.

use corkboard_core::id::CampaignId;

use crate::error::Result;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::id;

const SENDING: Statement = Statement::new(
    "list sending campaigns",
    "SELECT id FROM campaign WHERE state <> 'stopped'",
);

pub(super) async fn campaigns(session: &Session) -> Result<Vec<CampaignId>> {
    let rows = session.all(&SENDING, &[]).await?;
    rows.iter().map(|row| id(row, "id")).collect()
}
