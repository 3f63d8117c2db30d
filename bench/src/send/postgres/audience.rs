//! Users by the million, copied straight into the product's table in the order of its key.

use corkboard_core::id::{Id as _, WorkspaceId};
use corkboard_core::slot::Slot;
use corkboard_core::time::{Clock as _, SystemClock};
use corkboard_core::user::UserId;

use super::cluster::Cluster;
use crate::failure::{Failure, Result};
use crate::postgres::BinaryRows;
use crate::users;

/// Makes the users `0..count` known, as if they had been tracked.
pub(super) async fn load(cluster: &Cluster, count: usize) -> Result<()> {
    let workspace: WorkspaceId = cluster
        .site
        .workspace()
        .parse()
        .map_err(Failure::unexpected)?;
    let bytes: String = workspace
        .to_bytes()
        .map(|byte| format!("{byte:02x}"))
        .concat();
    let numbered = format!(
        "INSERT INTO workspace_number (workspace) VALUES ('{bytes}') RETURNING workspace_no"
    );
    let workspace_no: i32 = cluster
        .cards
        .text(&numbered)
        .await?
        .parse()
        .map_err(Failure::unexpected)?;
    let mut order = Vec::with_capacity(count);
    for number in 0..count {
        let user = UserId::parse(users::id(number)).map_err(Failure::unexpected)?;
        // Slots are below 4,096.
        let slot = i16::try_from(Slot::of(workspace, &user).number()).unwrap_or(i16::MAX);
        order.push((slot, number));
    }
    // Ids have as many digits each, so that the order of numbers is that of texts.
    order.sort_unstable();
    let now = SystemClock.now().as_micros();
    let rows = BinaryRows::new(6, order.into_iter(), move |row, (slot, number)| {
        row.time(now)
            .time(now)
            .int4(workspace_no)
            .int2(slot)
            .bytes(users::id(number).as_bytes())
            .jsonb(&attributes(number));
    });
    let columns = "created_at, updated_at, workspace_no, slot, user_id, attributes";
    let sql = format!("COPY tracked_user ({columns}) FROM STDIN BINARY");
    cluster.cards.copy_in(&sql, Box::new(rows)).await?;
    let total = format!(
        "INSERT INTO user_total (workspace_no, lane, users) VALUES ({workspace_no}, 0, {count})"
    );
    cluster.cards.run(&total).await?;
    cluster.cards.run("VACUUM (ANALYZE)").await
}

/// A user's attributes as they are stored: what is tracked, without the id.
fn attributes(number: usize) -> String {
    let mut tracked = users::attributes(number);
    if let Some(fields) = tracked.as_object_mut() {
        fields.remove("user_id");
    }
    tracked.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_no_attribute() {
        let text = attributes(7);
        assert!(
            text.contains("\"plan\"") && !text.contains("user_id"),
            "{text}"
        );
    }
}
