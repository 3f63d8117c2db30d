//! Every threshold from both sides, on samples made by hand.

use std::collections::BTreeSet;

use corkboard_core::cohort::Cohort;
use corkboard_core::time::Timestamp;

use super::*;

const DAY: Duration = Duration::from_secs(86_400);
const GRACE: Duration = Duration::from_secs(48 * 3_600);

fn now() -> Timestamp {
    Timestamp::from_seconds(1_795_255_200)
}

fn expected() -> Expected {
    Expected {
        purpose: Purpose::Cards(Layout::Cohorts),
        connections: 16,
        grace: GRACE,
    }
}

/// Cohorts for every lifetime and this many days more.
fn ahead(days: u32) -> Partitions {
    let mut cohorts = BTreeSet::new();
    for day in 0..=days {
        cohorts.extend(Cohort::all_of(now().plus(DAY * day)));
    }
    let leaves = |table: &str| cohorts.iter().map(|c| format!("{table}_{c}")).collect();
    Partitions {
        leaves: ["card", "card_state", "card_event"]
            .map(|table| (table.to_owned(), leaves(table)))
            .into(),
        layout: Some(Layout::Cohorts),
        ..Partitions::default()
    }
}

/// Nothing is wrong with it.
fn healthy() -> Sample {
    let age = |ids| Age {
        name: "cards".to_owned(),
        ids,
    };
    let values = [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_sync_retry", "off"),
        ("autovacuum", "on"),
        ("track_counts", "on"),
        ("autovacuum_freeze_max_age", "200000000"),
        ("autovacuum_multixact_freeze_max_age", "400000000"),
        ("vacuum_failsafe_age", "1600000000"),
        ("max_locks_per_transaction", "256"),
        ("max_connections", "100"),
        ("superuser_reserved_connections", "3"),
    ];
    Sample {
        at: now(),
        server: Server {
            version: 150_018,
            system: 7,
            database: 16_384,
            in_recovery: false,
            read_only: false,
            encoding: "UTF8".to_owned(),
            clock_ahead_micros: 1_000,
            round_trip: Duration::from_millis(1),
        },
        ages: Ages {
            next: 1_000_000,
            xid: age(1_000_000),
            mxid: age(10),
            own: 1_000_000,
            tables: vec![TableAge {
                name: "card_event".to_owned(),
                xids: 170_000_000,
                mxids: 1,
                bytes: 8_192,
            }],
        },
        holders: Vec::new(),
        partitions: ahead(14),
        settings: Settings {
            values: values.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            connections: 20,
            role_limit: None,
            database_limit: None,
        },
        rights: Rights {
            role: "corkboard".to_owned(),
            schema: Some("public".to_owned()),
            may_create: true,
            sees_all: true,
            not_owned: Vec::new(),
        },
        schemas: [(
            "cards".to_owned(),
            Purpose::Cards(Layout::Cohorts).schema().1,
        )]
        .into(),
    }
}

fn hourly(per_second: f64) -> Option<Rate> {
    Some(Rate {
        per_second,
        over: Duration::from_secs(3_600),
    })
}

/// All that is wrong, as `severity name: what`.
fn wrong_at(sample: &Sample, rate: Option<Rate>) -> Vec<String> {
    let findings = sample.judge(&expected(), rate);
    findings
        .iter()
        .filter(|finding| finding.severity > Severity::Ok)
        .map(|finding| format!("{:?} {}: {}", finding.severity, finding.name, finding.what))
        .collect()
}

/// What is wrong with a healthy sample after this change.
fn wrong(change: impl FnOnce(&mut Sample)) -> Vec<String> {
    let mut sample = healthy();
    change(&mut sample);
    wrong_at(&sample, hourly(10.0))
}

#[track_caller]
fn assert_one(found: &[String], start: &str) {
    assert!(
        found.len() == 1 && found[0].starts_with(start),
        "{start}: {found:#?}"
    );
}

fn set(setting: &str, value: &str) -> impl FnOnce(&mut Sample) {
    let (setting, value) = (setting.to_owned(), value.to_owned());
    move |sample| {
        sample.settings.values.insert(setting, value);
    }
}

#[test]
fn nothing_is_wrong_with_a_healthy_database() {
    assert_eq!(wrong(|_| {}), Vec::<String>::new());
    assert_eq!(wrong_at(&healthy(), None), Vec::<String>::new());
}

#[test]
fn every_finding_that_is_not_ok_says_what_to_do() {
    let mut sample = healthy();
    sample.server.version = 140_005;
    sample.server.clock_ahead_micros = 300_000_000;
    sample.settings.values.clear();
    sample.rights.schema = None;
    sample.partitions = Partitions {
        layout: Some(Layout::Cohorts),
        ..Partitions::default()
    };
    let findings = sample.judge(&expected(), hourly(1e6));
    assert!(
        findings
            .iter()
            .filter(|f| f.severity == Severity::Fail)
            .count()
            > 8
    );
    for finding in findings {
        assert_eq!(
            finding.remedy.is_empty(),
            finding.severity == Severity::Ok,
            "{finding:?}"
        );
    }
}

#[test]
fn a_runway_below_30_days_warns_and_below_7_fails() {
    // 1,000 ids a second are 86.4 million a day.
    let sample = healthy();
    assert!(
        wrong_at(&sample, hourly(800.0))
            .iter()
            .all(|what| !what.contains("transaction ids"))
    );
    let found = wrong_at(&sample, hourly(1_000.0));
    assert!(
        found[0].starts_with("Warn transaction ids: lasts 25 days at 1000.0/s"),
        "{found:?}"
    );
    let found = wrong_at(&sample, hourly(4_000.0));
    assert!(found[0].starts_with("Fail transaction ids"), "{found:?}");
}

#[test]
fn a_short_look_at_a_busy_moment_wakes_nobody() {
    let moment = Some(Rate {
        per_second: 4_000.0,
        over: Duration::from_secs(3),
    });
    assert_one(
        &wrong_at(&healthy(), moment),
        "Warn transaction ids: lasts 6 days",
    );
}

#[test]
fn ids_that_are_nearly_used_up_fail_at_any_rate() {
    let mut sample = healthy();
    sample.ages.xid.ids = 2_060_000_000;
    assert!(wrong_at(&sample, None)[0].starts_with("Fail transaction ids: 84.4 M ids left"));
}

#[test]
fn an_age_beyond_four_fifths_of_the_forced_vacuum_warns_and_names_tables() {
    assert_eq!(
        wrong(|s| s.ages.xid.ids = 160_000_000),
        Vec::<String>::new()
    );
    let found = wrong(|s| s.ages.xid.ids = 160_000_001);
    assert_one(
        &found,
        "Warn transaction ids: the oldest id of database cards is 160.0 M old",
    );
    assert!(found[0].ends_with("card_event (170.0 M)"), "{found:?}");
    assert_one(
        &wrong(|s| s.ages.mxid.ids = 320_000_001),
        "Warn multixact ids",
    );
}

#[test]
fn holders_of_the_horizon_are_named_by_kind() {
    let holder = |kind, ids, minutes: u64| Holder {
        kind,
        who: "somebody".to_owned(),
        ids: Some(ids),
        since: Some(Duration::from_secs(minutes * 60)),
        wal: 0,
        active: true,
    };
    let holding = |held: Holder| wrong(move |sample| sample.holders.push(held));
    for (kind, minutes) in [(HolderKind::Session, 60), (HolderKind::Prepared, 10)] {
        assert_eq!(
            holding(holder(kind, 50_000_000, minutes)),
            Vec::<String>::new()
        );
        assert_one(&holding(holder(kind, 0, minutes + 1)), "Warn horizon");
    }
    for kind in [
        HolderKind::Session,
        HolderKind::Prepared,
        HolderKind::Slot,
        HolderKind::Standby,
    ] {
        assert_one(&holding(holder(kind, 50_000_001, 0)), "Warn horizon");
    }
    let idle = Holder {
        active: false,
        ..holder(HolderKind::Slot, 0, 0)
    };
    assert_one(
        &holding(idle),
        "Warn horizon: replication slot 'somebody' is inactive",
    );
    let behind = Holder {
        wal: (10 << 30) + 1,
        ..holder(HolderKind::Slot, 0, 0)
    };
    assert_one(
        &holding(behind),
        "Warn horizon: replication slot 'somebody' is 10240 MiB behind",
    );
}

#[test]
fn headroom_is_counted_in_days_that_every_lifetime_fits() {
    assert_eq!(ahead(14).headroom_days(now()), 15);
    assert_eq!(wrong(|s| s.partitions = ahead(6)), Vec::<String>::new());
    assert_one(
        &wrong(|s| s.partitions = ahead(5)),
        "Warn cohorts: every card finds its cohort for 6",
    );
    assert_one(
        &wrong(|s| s.partitions = ahead(0)),
        "Fail cohorts: every card finds its cohort for 1",
    );
    // One missing day is enough.
    let tomorrow = Cohort::of(now(), now().plus(DAY)).to_string();
    let found = wrong(|sample| {
        for (table, leaves) in &mut sample.partitions.leaves {
            leaves.remove(&format!("{table}_{tomorrow}"));
        }
    });
    assert_one(&found, "Fail cohorts: every card finds its cohort for 0");
}

#[test]
fn tables_out_of_step_and_cohorts_past_their_grace_are_named() {
    let tomorrow = Cohort::of(now(), now().plus(DAY));
    let found = wrong(|sample| {
        let states = sample.partitions.leaves.get_mut("card_state").unwrap();
        states.remove(&format!("card_state_{tomorrow}"));
    });
    assert!(found[0].starts_with("Fail cohorts: card and card_state are out of step in d2026"));

    let add = |ended: Duration| {
        move |sample: &mut Sample| {
            let old = Cohort::of(now().minus(ended + DAY), now().minus(ended));
            for (table, leaves) in &mut sample.partitions.leaves {
                leaves.insert(format!("{table}_{old}"));
            }
        }
    };
    assert_eq!(wrong(add(GRACE)), Vec::<String>::new());
    assert_one(
        &wrong(add(GRACE + DAY)),
        "Warn cohorts: past their grace: d202611",
    );
}

#[test]
fn half_detached_and_default_partitions_fail() {
    let tomorrow = Cohort::of(now(), now().plus(DAY));
    let found = wrong(|s| s.partitions.pending.push(format!("card_event_{tomorrow}")));
    assert!(
        found[0].starts_with("Fail partitions: half detached: card_event_d2026"),
        "{found:?}"
    );
    let found = wrong(|s| s.partitions.defaults.push("card_rest".to_owned()));
    assert_one(&found, "Fail partitions: default partition card_rest");
}

#[test]
fn settings_that_lose_data_fail() {
    let dangerous = [
        ("fsync", "off"),
        ("full_page_writes", "off"),
        ("synchronous_commit", "off"),
        ("data_sync_retry", "on"),
        ("zero_damaged_pages", "on"),
    ];
    for (setting, value) in dangerous {
        assert_one(
            &wrong(set(setting, value)),
            &format!("Fail durability: {setting} is {value}"),
        );
    }
    assert_eq!(
        wrong(set("synchronous_commit", "remote_apply")),
        Vec::<String>::new()
    );
}

#[test]
fn settings_that_keep_ids_from_being_freed_are_found() {
    assert_one(
        &wrong(set("autovacuum", "off")),
        "Fail autovacuum: autovacuum is off",
    );
    assert_one(
        &wrong(set("autovacuum_freeze_max_age", "1500000000")),
        "Warn autovacuum",
    );
    assert_one(
        &wrong(set("vacuum_failsafe_age", "100000000")),
        "Warn autovacuum: vacuum_failsafe_age",
    );
    // 127 days at 100/s are 1.0 thousand million.
    let found = wrong_at(&healthy(), hourly(100.0));
    assert_one(
        &found,
        "Warn autovacuum: 1.0 G ids are used while a cohort lives",
    );
}

#[test]
fn locks_and_connections_must_suffice() {
    let found = wrong(set("max_locks_per_transaction", "64"));
    assert_one(&found, "Warn locks: max_locks_per_transaction is 64");
    assert_one(
        &wrong(|s| s.settings.role_limit = Some(10)),
        "Fail connections: 20 open of 10",
    );
    assert_one(
        &wrong(|s| s.settings.database_limit = Some(30)),
        "Warn connections: 20 open of 30",
    );
    assert_one(
        &wrong(|s| s.settings.connections = 90),
        "Warn connections: 90 open of 97",
    );
}

#[test]
fn servers_that_cannot_be_used_fail() {
    assert_one(
        &wrong(|s| s.server.version = 140_011),
        "Fail version: PostgreSQL 14.11, 15 or newer",
    );
    assert_one(
        &wrong(|s| s.server.in_recovery = true),
        "Fail server: a standby",
    );
    assert_one(
        &wrong(|s| s.server.read_only = true),
        "Fail server: default_transaction_read_only",
    );
    assert_one(
        &wrong(|s| s.server.encoding = "LATIN1".to_owned()),
        "Fail server",
    );
}

#[test]
fn clocks_may_differ_by_as_much_as_the_answer_took() {
    let apart = |seconds: i64, round_trip: u64| {
        wrong(|sample| {
            sample.server.clock_ahead_micros = seconds * 1_000_000;
            sample.server.round_trip = Duration::from_secs(round_trip);
        })
    };
    assert_eq!(apart(2, 0), Vec::<String>::new());
    assert_one(
        &apart(3, 0),
        "Warn clock: the database's clock is 3.0 s ahead of this host's",
    );
    assert_eq!(apart(3, 2), Vec::<String>::new());
    assert_one(
        &apart(-300, 1),
        "Fail clock: the database's clock is 300.0 s behind this host's",
    );
}

#[test]
fn rights_that_are_missing_are_named() {
    let found = wrong(|s| s.rights.may_create = false);
    assert_one(
        &found,
        "Fail rights: role corkboard may not create tables in schema public",
    );
    assert_one(
        &wrong(|s| s.rights.schema = None),
        "Fail rights: role corkboard may use no schema",
    );
    assert_one(
        &wrong(|s| s.rights.not_owned.push("card".to_owned())),
        "Fail rights",
    );
    assert_one(&wrong(|s| s.rights.sees_all = false), "Warn rights");
}

#[test]
fn the_configured_layout_must_be_the_databases() {
    let found = wrong(|s| s.partitions.layout = Some(Layout::Flat));
    assert_one(
        &found,
        "Fail cohorts: the layout is flat, configured is cohorts",
    );
}

#[test]
fn databases_are_compared_with_each_other() {
    let (one, mut other) = (healthy(), healthy());
    let together = |other: &Sample| {
        let findings = judge_together(&[("cards-0", &one), ("cards-1", other)]);
        findings
            .into_iter()
            .map(|f| format!("{}: {}", f.name, f.what))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        together(&other),
        ["databases: cards-0 and cards-1 are the same database"]
    );
    other.server.system = 8;
    assert_eq!(together(&other), Vec::<String>::new());
    other.partitions = ahead(6);
    assert!(together(&other)[0].starts_with("cohorts: cards-0 and cards-1 differ in d2026"));
}
