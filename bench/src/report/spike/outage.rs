//! Redis goes while everybody asks.

use std::path::Path;

use super::super::{Row, goal, number, percent, plot, table};
use crate::failure::Result;
use crate::plot::Lines;
use crate::spike::{Course, Front, Loss, Outage};

/// Of what was to be had, meanwhile; and of what was answered before, once it is back.
const LEAST: f64 = 0.6;
const BACK_WITHIN: f64 = 5.0;
const HEADS: [&str; 13] = [
    "Redis",
    "offered",
    "offered/s",
    "good/s before",
    "meanwhile",
    "worst second",
    "of what was to be had",
    "back after s",
    "then at least",
    "statements at a time",
    "connections",
    "statements/s before",
    "meanwhile",
];

pub(super) fn section(part: &Outage, folder: &Path) -> Result<String> {
    let mut text = format!(
        "\n### Redis goes\n\nOpen loop over {} connections, latency from the time a request was due. Good: 200 within a second, with the body \
         of the one who asked. \"With Redis\" is 80 % of what is served with it, more than the database can; what was to be had \
         meanwhile is what was answered before, or what the database alone serves if that is less. Back: a second with 90 % of what \
         was answered before. The database of feeds is {} ms away. Node, Redis and PostgreSQL share a CPU.\n",
        part.connections, part.distance_ms
    );
    for (place, front) in part.fronts.iter().enumerate() {
        text.push_str(&format!(
            "\n**{}**: {} a second from the database alone, {} with Redis\n",
            front.name,
            number(front.database_alone),
            number(front.with_redis)
        ));
        for (turn, course) in front.courses.iter().enumerate() {
            text.push_str(&of_course(front, course));
            let file = format!("spike-outage-{}-{}.svg", place + 1, turn + 1);
            text.push_str(&drawn(front, course, &file, folder)?);
        }
    }
    Ok(text)
}

fn of_course(front: &Front, course: &Course) -> String {
    let rows: Vec<Row> = course.losses.iter().map(row).collect();
    let mut text = format!("\nMemory: {}\n{}\n", course.memory, table(&HEADS, &rows));
    let name = format!("{}, Redis gone, {} of memory", front.name, course.memory);
    let of = |shown: &dyn Fn(&Loss) -> String| -> String {
        let losses = course.losses.iter();
        let each = losses.map(|loss| {
            let (fault, rate) = (loss.fault.name(), loss.rate.name());
            format!("{} {fault} ({rate})", shown(loss))
        });
        each.collect::<Vec<_>>().join(", ")
    };
    let all = |holds: &dyn Fn(&Loss) -> bool| {
        !course.losses.is_empty() && course.losses.iter().all(holds)
    };
    text.push_str(&goal(
        &format!("{name}: goodput meanwhile is at least 60 % of what was to be had"),
        all(&|loss| loss.share >= LEAST),
        &of(&|loss| percent(loss.share)),
    ));
    let most = course.losses.iter().map(|loss| loss.most_statements).max();
    text.push_str(&goal(
        &format!(
            "{name}: the database never has more than {} statements at a time",
            front.statements_allowed
        ),
        all(&|loss| loss.most_statements <= front.statements_allowed),
        &format!("{} at most", most.unwrap_or_default()),
    ));
    text.push_str(&goal(
        &format!("{name}: within 5 s of its return, 90 % of the former goodput"),
        all(&|loss| {
            loss.back_after
                .is_some_and(|seconds| seconds <= BACK_WITHIN)
        }),
        &of(&|loss| {
            let back = loss.back_after;
            back.map_or("not seen".to_owned(), |seconds| format!("{seconds:.2} s"))
        }),
    ));
    text.push_str(&goal(
        &format!("{name}: no second after that has less than 60 % of it"),
        all(&|loss| loss.worst_after.is_some_and(|part| part >= LEAST)),
        &of(&|loss| loss.worst_after.map_or("not seen".to_owned(), percent)),
    ));
    text.push_str(&goal(
        &format!("{name}: nothing but 200 and 503, and nobody gets another one's"),
        course.disorderly + course.foreign == 0 && course.requests > 0,
        &format!(
            "{} others and {} of another one, of {} requests; {} late",
            course.disorderly,
            course.foreign,
            number(course.requests as f64),
            course.late
        ),
    ));
    text
}

fn row(loss: &Loss) -> Row {
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
    vec![
        loss.fault.name().to_owned(),
        loss.rate.name().to_owned(),
        number(loss.offered),
        number(loss.before),
        number(loss.meanwhile),
        number(loss.worst_second),
        percent(loss.share),
        or_none(loss.back_after.map(|seconds| format!("{seconds:.2}"))),
        or_none(loss.worst_after.map(percent)),
        loss.most_statements.to_string(),
        loss.most_connections.to_string(),
        number(loss.statements_before),
        number(loss.statements_meanwhile),
    ]
}

fn drawn(front: &Front, course: &Course, file: &str, folder: &Path) -> Result<String> {
    let title = format!("Redis goes: {}, {} of memory", front.name, course.memory);
    let line = |of: fn(&crate::spike::OutageMoment) -> f64| {
        let moments = course.moments.iter();
        moments.map(|moment| (moment.at, of(moment))).collect()
    };
    let lines = Lines {
        title: &title,
        unit: "requests/s, grey while Redis is gone",
        across: "seconds",
        series: vec![
            ("good".to_owned(), line(|moment| moment.good)),
            ("refused".to_owned(), line(|moment| moment.refused)),
            ("late or failed".to_owned(), line(|moment| moment.lost)),
            ("offered".to_owned(), line(|moment| moment.offered)),
        ],
    };
    let losses = course.losses.iter();
    let shaded: Vec<(f64, f64)> = losses.map(|loss| (loss.struck, loss.mended)).collect();
    plot(folder, file, &title, &lines.svg_shaded(&shaded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spike::{Fault, Rate};

    fn loss() -> Loss {
        Loss {
            fault: Fault::Killed,
            rate: Rate::Redis,
            struck: 3.0,
            mended: 8.0,
            offered: 1_000.0,
            before: 1_000.0,
            meanwhile: 300.0,
            worst_second: 200.0,
            share: 0.6,
            back_after: Some(5.0),
            worst_after: Some(0.6),
            most_statements: 8,
            most_connections: 11,
            statements_before: 1.0,
            statements_meanwhile: 100.0,
        }
    }

    /// Of one front, in order.
    fn reached(change: impl Fn(&mut Course)) -> Vec<bool> {
        let mut course = Course {
            memory: "1MiB".to_owned(),
            losses: vec![loss(), loss()],
            requests: 10,
            late: 3,
            disorderly: 0,
            foreign: 0,
            moments: Vec::new(),
        };
        change(&mut course);
        let front = Front {
            name: "feeds".to_owned(),
            statements_allowed: 8,
            database_alone: 500.0,
            with_redis: 1_250.0,
            courses: Vec::new(),
        };
        let text = of_course(&front, &course);
        let goals = text.lines().filter(|line| line.starts_with("- Goal"));
        goals.map(|goal| goal.contains("**reached**")).collect()
    }

    #[test]
    fn each_goal_is_missed_by_what_it_is_about_alone() {
        assert_eq!(reached(|_| {}), [true; 5]);
        assert_eq!(
            reached(|course| course.losses.clear()),
            [false, false, false, false, true]
        );
        let changes: [fn(&mut Course); 7] = [
            |course| course.losses[1].share = 0.59,
            |course| course.losses[1].most_statements = 9,
            |course| course.losses[1].back_after = Some(5.25),
            |course| course.losses[1].worst_after = Some(0.59),
            |course| course.foreign = 1,
            |course| course.disorderly = 1,
            |course| course.requests = 0,
        ];
        for (change, missed) in changes.into_iter().zip([0, 1, 2, 3, 4, 4, 4]) {
            let reached = reached(change);
            let found: Vec<usize> = (0..5).filter(|place| !reached[*place]).collect();
            assert_eq!(found, [missed]);
        }
        let never = reached(|course| {
            course.losses[0].back_after = None;
            course.losses[0].worst_after = None;
        });
        assert_eq!(never, [true, true, false, false, true]);
    }
}
