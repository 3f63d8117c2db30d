//! Receipts of a batch: looked at, decided about, claimed.

use corkboard_core::id::DispatchId;
use tokio_postgres::types::{ToSql, Type};

use super::decide::{Decision, Facts, Terms, decide};
use super::{Wanted, Writing};
use crate::postgres::cards::attempt::{self, Attempt, Stop};
use crate::postgres::cards::own::{self, occurrence};
use crate::postgres::cards::tables::Tables;
use crate::postgres::session::{Params, Session};
use crate::postgres::values::{Time, Uuid, get, optional_id, optional_time};

/// What is known of users about whom anything is.
pub(in crate::postgres::cards) const LOOK: &str = "SELECT k.n, t.erased_at, r.dispatch, r.occurrence, r.at \
     FROM unnest($1::smallint[], $2::uuid[]) WITH ORDINALITY AS k(slot, owner, n) \
     LEFT JOIN tombstone t ON t.slot = k.slot AND t.owner = k.owner \
     LEFT JOIN receipt r ON r.slot = k.slot AND r.owner = k.owner AND r.campaign_no = $3 \
     WHERE t.erased_at IS NOT NULL OR r.at IS NOT NULL";
const COPY: &str = "COPY receipt (at, dispatch, owner, campaign_no, slot) FROM STDIN BINARY";
const COPY_TYPES: [Type; 5] = [
    Type::TIMESTAMPTZ,
    Type::UUID,
    Type::UUID,
    Type::INT4,
    Type::INT2,
];
pub(in crate::postgres::cards) const CLAIM: &str = "INSERT INTO receipt (at, dispatch, owner, campaign_no, slot) \
     SELECT $1::timestamptz, $2::uuid, o, $3::int, s FROM unnest($4::smallint[], $5::uuid[]) AS k(s, o) ORDER BY s, o \
     ON CONFLICT (slot, owner, campaign_no) DO NOTHING";
pub(in crate::postgres::cards) const RENEW: &str = "UPDATE receipt r SET at = $1, dispatch = $2, occurrence = k.c \
     FROM (SELECT * FROM unnest($4::smallint[], $5::uuid[], $6::int[], $7::uuid[]) AS k(s, o, c, d) \
     ORDER BY s, o) k WHERE r.slot = k.s AND r.owner = k.o AND r.campaign_no = $3 AND r.dispatch = k.d";

/// Decides for every user of the batch. `careful`: somebody may have written some of its cards.
pub(super) async fn decisions(
    writing: &Writing<'_>,
    session: &Session,
    tables: &Tables,
    campaign_no: i32,
    careful: bool,
) -> Attempt<Vec<Decision>> {
    let mut facts = vec![Facts::default(); writing.wanted.len()];
    let keeps_receipts = writing.batch.eligibility.keeps_receipts();
    let (slots, owners) = columns(writing.wanted.iter());
    let params: Params<'_> = &[&slots, &owners, &campaign_no];
    for row in attempt::all(session, "look at receipts", LOOK, params).await? {
        let place = usize::try_from(get::<i64>(&row, "n")? - 1).unwrap_or(usize::MAX);
        let Some(facts) = facts.get_mut(place) else {
            continue;
        };
        facts.erased_at = optional_time(&row, "erased_at")?;
        let dispatch: Option<DispatchId> = optional_id(&row, "dispatch")?;
        let at = optional_time(&row, "at")?;
        if let (Some(dispatch), Some(at), true) = (dispatch, at, keeps_receipts) {
            facts.receipt = Some((dispatch, occurrence(get(&row, "occurrence")?), at));
        }
    }
    let may_have = |facts: &Facts| {
        if keeps_receipts {
            facts.receipt.is_some()
        } else {
            careful
        }
    };
    if facts.iter().any(may_have) {
        let owners = writing.wanted.iter().zip(&facts);
        let owners = owners.filter(|(_, facts)| may_have(facts));
        let owners = owners.map(|(wanted, _)| wanted.owner);
        let own = own::find(session, tables, writing.batch.dispatch, owners).await?;
        for (wanted, facts) in writing.wanted.iter().zip(&mut facts) {
            facts.own = own.get(&wanted.owner).copied();
        }
    }
    let terms = Terms {
        dispatch: writing.batch.dispatch,
        planned_at: writing.batch.planned_at,
        eligibility: writing.batch.eligibility,
    };
    Ok(facts.iter().map(|facts| decide(&terms, facts)).collect())
}

/// Makes the receipts say what was decided.
pub(super) async fn claim(
    writing: &Writing<'_>,
    session: &Session,
    campaign_no: i32,
    decisions: &[Decision],
    careful: bool,
) -> Attempt<()> {
    if !writing.batch.eligibility.keeps_receipts() {
        return Ok(());
    }
    let decided = || writing.wanted.iter().zip(decisions);
    let new: Vec<&Wanted<'_>> = decided()
        .filter(|(_, decision)| matches!(decision, Decision::New))
        .map(|(wanted, _)| wanted)
        .collect();
    let (at, dispatch) = (
        Time(writing.batch.planned_at),
        Uuid::of(writing.batch.dispatch),
    );
    if careful && !new.is_empty() {
        let (slots, owners) = columns(new.iter().copied());
        let params: Params<'_> = &[&at, &dispatch, &campaign_no, &slots, &owners];
        let claimed = attempt::change(session, "claim receipts", CLAIM, params).await?;
        if claimed < new.len() as u64 {
            return Err(Stop::Again);
        }
    } else if !new.is_empty() {
        let rows = new.iter().map(|wanted| -> Vec<&(dyn ToSql + Sync)> {
            vec![
                &at,
                &dispatch,
                &wanted.owner.key,
                &campaign_no,
                &wanted.owner.slot,
            ]
        });
        attempt::copy(session, "copy receipts", COPY, &COPY_TYPES, rows).await?;
    }
    renew(session, campaign_no, (&at, &dispatch), decided()).await
}

async fn renew<'a>(
    session: &Session,
    campaign_no: i32,
    (at, dispatch): (&Time, &Uuid),
    decided: impl Iterator<Item = (&'a Wanted<'a>, &'a Decision)>,
) -> Attempt<()> {
    let (mut renewed, mut occurrences, mut before) = (Vec::new(), Vec::new(), Vec::new());
    for (wanted, decision) in decided {
        if let Decision::Renewed { occurrence, from } = decision {
            renewed.push(wanted);
            occurrences.push(i32::try_from(*occurrence).unwrap_or(i32::MAX));
            before.push(Uuid::of(*from));
        }
    }
    if renewed.is_empty() {
        return Ok(());
    }
    let (slots, owners) = columns(renewed.iter().copied());
    let params: Params<'_> = &[
        at,
        dispatch,
        &campaign_no,
        &slots,
        &owners,
        &occurrences,
        &before,
    ];
    let changed = attempt::change(session, "renew receipts", RENEW, params).await?;
    // A rival has renewed one of them since it was looked at.
    if changed < renewed.len() as u64 {
        return Err(Stop::Again);
    }
    Ok(())
}

fn columns<'a>(wanted: impl Iterator<Item = &'a Wanted<'a>>) -> (Vec<i16>, Vec<Uuid>) {
    wanted
        .map(|wanted| (wanted.owner.slot, wanted.owner.key))
        .unzip()
}
