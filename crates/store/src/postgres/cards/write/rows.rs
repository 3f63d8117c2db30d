//! The rows of a batch as PostgreSQL takes them in a binary `COPY`: written straight into one
//! buffer, because at a hundred thousand rows a second every allocation per row counts.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use corkboard_core::time::Timestamp;

use super::decide::Decision;
use super::{Wanted, Writing};
use crate::card_store::NewCard;
use crate::error::Result;
use crate::postgres::cards::contents::json;
use crate::postgres::cards::numbers::CampaignNo;
use crate::postgres::cards::owner::Owner;
use crate::postgres::values::{Time, Uuid};

/// The signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: i16 = -1;
const ABSENT: i32 = -1;
/// Bytes of a row without its content.
const ROW_BYTES: usize = 78;

/// A row of `card`.
pub(super) struct Row<'a> {
    pub(super) owner: Owner,
    pub(super) card: &'a NewCard,
    pub(super) content_no: i32,
    /// Absent: 0.
    pub(super) occurrence: Option<i32>,
}

/// The cards that were decided for.
pub(super) struct Rows<'a> {
    pub(super) rows: Vec<Row<'a>>,
    /// Whose they are.
    pub(super) places: Vec<usize>,
    created_at: Timestamp,
    cohort_no: i16,
}

impl<'a> Rows<'a> {
    pub(super) fn new(
        writing: &Writing<'a>,
        decisions: &[Decision],
        numbers: &BTreeMap<u8, i32>,
    ) -> Result<Self> {
        let mut places = Vec::with_capacity(decisions.len());
        let mut rows = Vec::with_capacity(decisions.len());
        for (place, (wanted, decision)) in writing.wanted.iter().zip(decisions).enumerate() {
            let number = numbers.get(&wanted.card.variant);
            if let (Some(occurrence), Some(number)) = (decision.occurrence(), number) {
                let occurrence = i32::try_from(occurrence).unwrap_or(i32::MAX);
                places.push(place);
                rows.push(Row {
                    owner: wanted.owner,
                    card: wanted.card,
                    content_no: *number,
                    occurrence: (occurrence > 0).then_some(occurrence),
                });
            }
        }
        Ok(Self {
            rows,
            places,
            created_at: writing.now,
            cohort_no: writing.cohort_no,
        })
    }

    /// All of them, in the order of the columns of [`COPY`](super::insert::COPY).
    pub(super) fn encode(&self) -> Result<Bytes> {
        let mut out = BytesMut::with_capacity(HEADER.len() + 2 + ROW_BYTES * self.rows.len());
        out.put_slice(HEADER);
        let created_at = Time(self.created_at).stored();
        for row in &self.rows {
            out.put_i16(8);
            put_i64(&mut out, created_at);
            put_i64(&mut out, Time(row.card.expires_at).stored());
            put_uuid(&mut out, row.owner.key);
            put_i32(&mut out, row.content_no);
            put_i16(&mut out, self.cohort_no);
            put_i16(&mut out, row.owner.slot);
            match row.occurrence {
                Some(occurrence) => put_i32(&mut out, occurrence),
                None => out.put_i32(ABSENT),
            }
            match &row.card.content {
                Some(content) => {
                    let content = json(content)?;
                    out.put_i32(i32::try_from(content.len()).unwrap_or(i32::MAX));
                    out.put_slice(content.as_bytes());
                }
                None => out.put_i32(ABSENT),
            }
        }
        out.put_i16(TRAILER);
        Ok(out.freeze())
    }
}

/// New receipts, in the order of the columns of the copy.
pub(super) fn receipts(
    new: &[&Wanted<'_>],
    at: Time,
    dispatch: Uuid,
    campaign: CampaignNo,
) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER.len() + 2 + ROW_BYTES * new.len());
    out.put_slice(HEADER);
    for wanted in new {
        out.put_i16(6);
        put_i64(&mut out, at.stored());
        put_uuid(&mut out, dispatch);
        put_uuid(&mut out, wanted.owner.key);
        put_i32(&mut out, campaign.no);
        put_i16(&mut out, wanted.owner.slot);
        put_i16(&mut out, campaign.quarter);
    }
    out.put_i16(TRAILER);
    out.freeze()
}

fn put_uuid(out: &mut BytesMut, value: Uuid) {
    out.put_i32(16);
    out.put_slice(&value.0);
}

fn put_i64(out: &mut BytesMut, value: i64) {
    out.put_i32(8);
    out.put_i64(value);
}

fn put_i32(out: &mut BytesMut, value: i32) {
    out.put_i32(4);
    out.put_i32(value);
}

fn put_i16(out: &mut BytesMut, value: i16) {
    out.put_i32(2);
    out.put_i16(value);
}
