//! Judging ages: how long until writes stop, and whether freezing keeps up.

use super::ages::Ages;
use super::burn::{Rate, ids_left, runway_days};
use super::finding::{Finding, or_ok, short};
use super::settings::Settings;

/// Below this, plan an end to it; freezing a large database takes days.
pub(super) const RUNWAY_WARN_DAYS: f64 = 30.0;
/// Below this, act now: drop cohorts, end what holds the horizon, vacuum the oldest tables.
pub(super) const RUNWAY_FAIL_DAYS: f64 = 7.0;
/// Below this many ids, the rate does not matter any more.
const LAST_IDS: u64 = 100_000_000;

const REMEDY: &str = "see the findings 'horizon' and 'autovacuum', VACUUM (FREEZE) the oldest tables; \
                      dropping ended cohorts is the fastest lever";

pub(super) fn judge_xids(ages: &Ages, settings: &Settings, rate: Option<Rate>) -> Vec<Finding> {
    const NAME: &str = "transaction ids";
    let (age, oldest) = (ages.xid.ids, &ages.xid.name);
    let mut wrong = Vec::new();
    let (runway, meaningful) = match rate {
        Some(rate) => (runway_days(age, rate.per_second), rate.is_meaningful()),
        None => (f64::INFINITY, false),
    };
    let rest = runway_text(runway, rate);
    if ids_left(age) < LAST_IDS || (runway < RUNWAY_FAIL_DAYS && meaningful) {
        let left = short(ids_left(age));
        let what = format!("{left} ids left in database {oldest}, {rest}");
        wrong.push(Finding::fail(NAME, what, REMEDY));
    } else if runway < RUNWAY_WARN_DAYS {
        wrong.push(Finding::warn(NAME, rest.clone(), REMEDY));
    }
    if let Some(what) = too_old(age, settings.number("autovacuum_freeze_max_age")) {
        let tables = ages.oldest_tables();
        wrong.push(Finding::warn(
            NAME,
            format!("the oldest id of database {oldest} is {what}; oldest tables here: {tables}"),
            REMEDY,
        ));
    }
    or_ok(wrong, || {
        Finding::ok(
            NAME,
            format!("the oldest is {} old, {rest}", short(age.into())),
        )
    })
}

pub(super) fn judge_mxids(ages: &Ages, settings: &Settings) -> Finding {
    const NAME: &str = "multixact ids";
    let (age, oldest) = (ages.mxid.ids, &ages.mxid.name);
    if ids_left(age) < LAST_IDS {
        let left = short(ids_left(age));
        return Finding::fail(NAME, format!("{left} left in database {oldest}"), REMEDY);
    }
    match too_old(age, settings.number("autovacuum_multixact_freeze_max_age")) {
        Some(what) => Finding::warn(
            NAME,
            format!("the oldest of database {oldest} is {what}"),
            REMEDY,
        ),
        None => Finding::ok(NAME, format!("the oldest is {} old", short(age.into()))),
    }
}

/// More than 0.8 of the age at which vacuum must run: it has not, or cannot freeze.
fn too_old(age: u32, freeze: u32) -> Option<String> {
    let limit = freeze / 5 * 4;
    (limit > 0 && age > limit).then(|| {
        format!(
            "{} old, more than 0.8 of {}",
            short(age.into()),
            short(freeze.into())
        )
    })
}

fn runway_text(days: f64, rate: Option<Rate>) -> String {
    let Some(rate) = rate else {
        return "the rate is not known yet".to_owned();
    };
    let minutes = rate.over.as_secs() / 60;
    let over = match minutes {
        0 => format!("{} s", rate.over.as_secs()),
        1..120 => format!("{minutes} min"),
        _ => format!("{} h", minutes / 60),
    };
    let per_second = rate.per_second;
    if days.is_infinite() {
        return format!("none used in the last {over}");
    }
    // Beyond ten years the figure is of no use to anybody.
    if days > 3_650.0 {
        return format!("lasts for years at {per_second:.1}/s (last {over})");
    }
    format!("lasts {days:.0} days at {per_second:.1}/s (last {over})")
}
