//! Users and their attributes.

use std::collections::{BTreeMap, BTreeSet};

use corkboard_core::id::WorkspaceId;
use corkboard_core::time::Timestamp;
use corkboard_core::user::{
    AttributeChange, Attributes, EventSummary, MAX_ATTRIBUTES_BYTES, User, UserId,
};
use tokio_postgres::Row;

use super::CardDatabase;
use super::attempt::{Attempt, Attempts, Stop};
use super::attributes;
use super::owner::slot;
use crate::error::{Result, StoreError};
use crate::postgres::session::{Params, Session};
use crate::postgres::statement::Statement;
use crate::postgres::values::{Json, Time, count, get, stored, time};

pub(super) const FIND: Statement = Statement::new(
    "find users",
    "SELECT u.slot, u.user_id, u.attributes, u.created_at, u.updated_at \
     FROM unnest($1::smallint[], $2::text[]) AS k(slot, user_id) \
     JOIN tracked_user u ON u.slot = k.slot AND u.workspace_no = $3 \
     AND u.user_id = k.user_id COLLATE \"C\"",
);
pub(super) const EVENTS: Statement = Statement::new(
    "events of users",
    "SELECT e.user_id, e.name, e.count, e.first_at, e.last_at \
     FROM unnest($1::smallint[], $2::text[]) AS k(slot, user_id) \
     JOIN user_event e ON e.slot = k.slot AND e.workspace_no = $3 \
     AND e.user_id = k.user_id COLLATE \"C\"",
);
pub(super) const LOCK: Statement = Statement::new(
    "lock users",
    "SELECT u.user_id, u.attributes FROM unnest($1::smallint[], $2::text[]) AS k(slot, user_id) \
     JOIN tracked_user u ON u.slot = k.slot AND u.workspace_no = $3 \
     AND u.user_id = k.user_id COLLATE \"C\" \
     ORDER BY u.slot, u.user_id FOR NO KEY UPDATE OF u",
);
pub(super) const INSERT: Statement = Statement::new(
    "insert users",
    "INSERT INTO tracked_user (slot, workspace_no, user_id, attributes, created_at, updated_at) \
     SELECT s, $3::int, u, a::jsonb, $4::timestamptz, $4 FROM unnest($1::smallint[], $2::text[], $5::text[]) \
     AS k(s, u, a) ORDER BY s, u COLLATE \"C\" ON CONFLICT (slot, workspace_no, user_id) DO NOTHING",
);
pub(super) const UPDATE: Statement = Statement::new(
    "update users",
    "UPDATE tracked_user u SET attributes = k.a::jsonb, updated_at = $4 \
     FROM unnest($1::smallint[], $2::text[], $5::text[]) AS k(s, id, a) \
     WHERE u.slot = k.s AND u.workspace_no = $3 AND u.user_id = k.id COLLATE \"C\"",
);
pub(super) const TOTAL: Statement = Statement::new(
    "count new users",
    "INSERT INTO user_total AS t VALUES ($1, $2, $3) \
     ON CONFLICT (workspace_no, lane) DO UPDATE SET users = t.users + excluded.users",
);

/// Users by slot and id: the order in which their rows are written and locked.
type ByKey<T> = BTreeMap<(i16, String), T>;

/// Applies changes, all or none.
pub(super) async fn change(
    store: &CardDatabase,
    workspace: WorkspaceId,
    changes: &[AttributeChange],
    now: Timestamp,
) -> Result<()> {
    let mut attempts = Attempts::default();
    loop {
        match attempt(store, workspace, changes, now).await {
            Ok(()) => return Ok(()),
            Err(Stop::Failed(error)) => return Err(error),
            Err(_) => attempts.pause().await?,
        }
    }
}

async fn attempt(
    store: &CardDatabase,
    workspace: WorkspaceId,
    changes: &[AttributeChange],
    now: Timestamp,
) -> Attempt<()> {
    let session = store.pool.session().await?;
    let workspace_no = store.numbers.workspace(&session, workspace).await?;
    let keys: BTreeSet<(i16, String)> = changes
        .iter()
        .map(|change| key(workspace, &change.user))
        .collect();
    let (slots, ids): (Vec<i16>, Vec<String>) = keys.into_iter().unzip();
    let params: Params<'_> = &[&slots, &ids, &workspace_no];
    // Most reports repeat what is known: they cost no transaction id.
    let known = by_key(workspace, &session.all(&FIND, params).await?)?;
    if apply(workspace, changes, &known)?.is_empty() {
        return Ok(());
    }
    session.begin().await?;
    let known = by_key(workspace, &session.all(&LOCK, params).await?)?;
    let after = apply(workspace, changes, &known)?;
    let (old, new): (Vec<_>, Vec<_>) = after
        .into_iter()
        .partition(|(key, _)| known.contains_key(key));
    if !new.is_empty() {
        let wanted = new.len() as u64;
        if put(&session, &INSERT, workspace_no, new, now).await? < wanted {
            // Somebody else has made one of them: it has attributes that were not looked at.
            return Err(Stop::Again);
        }
        let lane = store.lanes.next();
        session
            .change(&TOTAL, &[&workspace_no, &lane, &stored(wanted)])
            .await?;
    }
    if !old.is_empty() {
        put(&session, &UPDATE, workspace_no, old, now).await?;
    }
    session.commit().await?;
    Ok(())
}

fn key(workspace: WorkspaceId, user: &UserId) -> (i16, String) {
    (slot(workspace, user), user.as_str().to_owned())
}

fn by_key(workspace: WorkspaceId, rows: &[Row]) -> Result<ByKey<Attributes>> {
    let read = |row: &Row| {
        let user = user_id(row)?;
        Ok((key(workspace, &user), attributes_of(row)?))
    };
    rows.iter().map(read).collect()
}

/// The users whose attributes differ after the changes, in order of their keys.
fn apply(
    workspace: WorkspaceId,
    changes: &[AttributeChange],
    known: &ByKey<Attributes>,
) -> Result<Vec<((i16, String), Attributes)>> {
    let mut after: ByKey<Attributes> = BTreeMap::new();
    for change in changes {
        let key = key(workspace, &change.user);
        let before = known.get(&key);
        let attributes = after
            .entry(key)
            .or_insert_with(|| before.cloned().unwrap_or_default());
        for (name, value) in &change.attributes {
            if value.is_null() {
                attributes.remove(name);
            } else {
                attributes.insert(name.clone(), value.clone());
            }
        }
        if serde_json::Value::Object(attributes.clone())
            .to_string()
            .len()
            > MAX_ATTRIBUTES_BYTES
        {
            return Err(StoreError::Conflict {
                what: "user attributes (over 64 KiB)",
            });
        }
    }
    after.retain(|key, attributes| known.get(key) != Some(attributes));
    Ok(after.into_iter().collect())
}

async fn put(
    session: &Session,
    statement: &Statement,
    workspace_no: i32,
    users: Vec<((i16, String), Attributes)>,
    now: Timestamp,
) -> Result<u64> {
    let (mut slots, mut ids, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for ((slot, id), attributes) in users {
        slots.push(slot);
        ids.push(id);
        texts.push(attributes::write(&attributes)?);
    }
    let params: Params<'_> = &[&slots, &ids, &workspace_no, &Time(now), &texts];
    session.change(statement, params).await
}

/// Several users, in the order asked for, with their events.
pub(super) async fn find(
    store: &CardDatabase,
    workspace: WorkspaceId,
    users: &[UserId],
) -> Result<Vec<Option<User>>> {
    let session = store.pool.session().await?;
    let Some(workspace_no) = store.numbers.known_workspace(&session, workspace).await? else {
        return Ok(vec![None; users.len()]);
    };
    let keys: BTreeSet<_> = users.iter().map(|user| key(workspace, user)).collect();
    let (slots, ids): (Vec<i16>, Vec<String>) = keys.into_iter().unzip();
    let rows = session.all(&FIND, &[&slots, &ids, &workspace_no]).await?;
    let found: Result<Vec<User>> = rows.iter().map(read).collect();
    let found = with_events(&session, workspace_no, workspace, found?).await?;
    let found: BTreeMap<UserId, User> = found
        .into_iter()
        .map(|user| (user.id.clone(), user))
        .collect();
    Ok(users.iter().map(|user| found.get(user).cloned()).collect())
}

/// A user, yet without events.
pub(super) fn read(row: &Row) -> Result<User> {
    Ok(User {
        id: user_id(row)?,
        attributes: attributes_of(row)?,
        events: BTreeMap::new(),
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}

fn attributes_of(row: &Row) -> Result<Attributes> {
    let Json(text): Json<&str> = get(row, "attributes")?;
    attributes::read(text)
}

pub(super) fn user_id(row: &Row) -> Result<UserId> {
    let id: &str = get(row, "user_id")?;
    UserId::parse(id).map_err(|error| StoreError::Corrupt {
        what: "user id",
        source: error.into(),
    })
}

/// Adds what is remembered of the users' events.
async fn with_events(
    session: &Session,
    workspace_no: i32,
    workspace: WorkspaceId,
    mut users: Vec<User>,
) -> Result<Vec<User>> {
    if users.is_empty() {
        return Ok(users);
    }
    let (slots, ids): (Vec<i16>, Vec<String>) =
        users.iter().map(|user| key(workspace, &user.id)).unzip();
    let mut events: BTreeMap<String, BTreeMap<String, EventSummary>> = BTreeMap::new();
    for row in session.all(&EVENTS, &[&slots, &ids, &workspace_no]).await? {
        let summary = EventSummary {
            count: count(&row, "count")?,
            first_at: time(&row, "first_at")?,
            last_at: time(&row, "last_at")?,
        };
        let of_user = events.entry(get(&row, "user_id")?).or_default();
        of_user.insert(get(&row, "name")?, summary);
    }
    for user in &mut users {
        user.events = events.remove(user.id.as_str()).unwrap_or_default();
    }
    Ok(users)
}
