//! Receipts of a batch: looked at and claimed.

use super::decide::{Decision, Facts};
use super::{Wanted, Writing, rows};
use crate::postgres::cards::attempt::{self, Attempt, Stop};
use crate::postgres::cards::numbers::CampaignNo;
use crate::postgres::cards::own::{self, occurrence};
use crate::postgres::cards::tables::Tables;
use crate::postgres::session::{Params, Session};
use crate::postgres::values::{Time, Uuid, get, id, time};

/// The receipts of those who have one.
pub(in crate::postgres::cards) const LOOK: &str = "SELECT k.n, r.dispatch, r.occurrence, r.at \
     FROM unnest($1::smallint[], $2::uuid[]) WITH ORDINALITY AS k(slot, owner, n) \
     JOIN receipt r ON r.slot = k.slot AND r.owner = k.owner AND r.campaign_no = $3 \
     AND r.quarter = $4";
const COPY: &str =
    "COPY receipt (at, dispatch, owner, campaign_no, slot, quarter) FROM STDIN BINARY";
pub(in crate::postgres::cards) const CLAIM: &str = "INSERT INTO receipt (at, dispatch, owner, campaign_no, slot, quarter) \
     SELECT $1::timestamptz, $2::uuid, o, $3::int, s, $6::smallint FROM unnest($4::smallint[], $5::uuid[]) AS k(s, o) ORDER BY s, o \
     ON CONFLICT (slot, owner, campaign_no, quarter) DO NOTHING";
pub(in crate::postgres::cards) const RENEW: &str = "UPDATE receipt r SET at = $1, dispatch = $2, occurrence = k.c \
     FROM (SELECT * FROM unnest($4::smallint[], $5::uuid[], $6::int[], $7::uuid[]) AS k(s, o, c, d) \
     ORDER BY s, o) k WHERE r.slot = k.s AND r.owner = k.o AND r.campaign_no = $3 AND r.dispatch = k.d \
     AND r.quarter = $8";

/// Notes what is known of the batch's users: their receipts, and the dispatch's own cards. `careful`:
/// somebody may have written some of the cards.
pub(super) async fn look(
    writing: &Writing<'_>,
    session: &Session,
    tables: &Tables,
    (campaign, careful): (CampaignNo, bool),
    facts: &mut [Facts],
) -> Attempt<()> {
    let keeps_receipts = writing.batch.eligibility.keeps_receipts();
    if keeps_receipts && !facts.is_empty() {
        let (slots, owners) = columns(writing.wanted.iter());
        let params: Params<'_> = &[&slots, &owners, &campaign.no, &campaign.quarter];
        for row in attempt::all(session, "look at receipts", LOOK, params).await? {
            let at = usize::try_from(get::<i64>(&row, "n")? - 1).unwrap_or(usize::MAX);
            let Some(facts) = facts.get_mut(at) else {
                continue;
            };
            let occurrence = occurrence(get(&row, "occurrence")?);
            facts.receipt = Some((id(&row, "dispatch")?, occurrence, time(&row, "at")?));
        }
    }
    let may_have = |facts: &Facts| {
        if keeps_receipts {
            facts.receipt.is_some()
        } else {
            careful
        }
    };
    if !facts.iter().any(may_have) {
        return Ok(());
    }
    let owners = writing.wanted.iter().zip(&*facts);
    let owners = owners.filter(|(_, facts)| may_have(facts));
    let owners = owners.map(|(wanted, _)| wanted.owner);
    let own = own::find(session, tables, writing.batch.dispatch, owners).await?;
    for (wanted, facts) in writing.wanted.iter().zip(facts) {
        facts.own = own.get(&wanted.owner).copied();
    }
    Ok(())
}

/// Makes the receipts say what was decided.
pub(super) async fn claim(
    writing: &Writing<'_>,
    session: &Session,
    campaign: CampaignNo,
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
        let params: Params<'_> = &[
            &at,
            &dispatch,
            &campaign.no,
            &slots,
            &owners,
            &campaign.quarter,
        ];
        let claimed = attempt::change(session, "claim receipts", CLAIM, params).await?;
        if claimed < new.len() as u64 {
            return Err(Stop::Again);
        }
    } else if !new.is_empty() {
        let statement = attempt::prepare(session, "copy receipts", COPY).await?;
        let copy = attempt::begin_copy(session, "copy receipts", &statement).await?;
        let rows = rows::receipts(&new, at, dispatch, campaign);
        attempt::finish_copy(session, "copy receipts", copy, rows).await?;
    }
    renew(session, campaign, (&at, &dispatch), decided()).await
}

async fn renew<'a>(
    session: &Session,
    campaign: CampaignNo,
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
        &campaign.no,
        &slots,
        &owners,
        &occurrences,
        &before,
        &campaign.quarter,
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
