//! Reading what `wrk --latency` prints.

use serde::{Deserialize, Serialize};

/// One step as `wrk` saw it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) requests: u64,
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    /// Bytes read for each request, head and body.
    pub(crate) bytes_each: f64,
    pub(crate) errors: Errors,
}

/// What went wrong; all zero in a run that counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Errors {
    pub(crate) connect: u64,
    pub(crate) read: u64,
    pub(crate) write: u64,
    pub(crate) timeout: u64,
    /// Responses with a status of 400 or more.
    pub(crate) status: u64,
}

impl std::ops::AddAssign for Errors {
    fn add_assign(&mut self, other: Self) {
        self.connect += other.connect;
        self.read += other.read;
        self.write += other.write;
        self.timeout += other.timeout;
        self.status += other.status;
    }
}

impl Errors {
    pub(crate) fn total(self) -> u64 {
        self.connect + self.read + self.write + self.timeout + self.status
    }
}

impl Summary {
    /// `None` when the text is not a report.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut summary = Self::default();
        let mut is_complete = false;
        for line in text.lines().map(str::trim) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["50%", time] => summary.p50_ms = milliseconds(time)?,
                ["99%", time] => summary.p99_ms = milliseconds(time)?,
                // The first such line is about time; a later one about rates has the same form.
                ["Latency", _, _, longest, _] => summary.max_ms = milliseconds(longest)?,
                [requests, "requests", "in", _, bytes, "read"] => {
                    summary.requests = requests.parse().ok()?;
                    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 requests")]
                    let count = summary.requests.max(1) as f64;
                    summary.bytes_each = size(bytes)? / count;
                }
                ["Requests/sec:", rate] => {
                    summary.per_second = rate.parse().ok()?;
                    is_complete = true;
                }
                ["Non-2xx", "or", "3xx", "responses:", count] => {
                    summary.errors.status = count.parse().ok()?;
                }
                _ => {
                    if let Some(list) = line.strip_prefix("Socket errors: ") {
                        summary.errors.read_sockets(list)?;
                    }
                }
            }
        }
        is_complete.then_some(summary)
    }
}

impl Errors {
    fn read_sockets(&mut self, list: &str) -> Option<()> {
        for pair in list.split(", ") {
            let (name, count) = pair.split_once(' ')?;
            let count = count.parse().ok()?;
            match name {
                "connect" => self.connect = count,
                "read" => self.read = count,
                "write" => self.write = count,
                "timeout" => self.timeout = count,
                _ => return None,
            }
        }
        Some(())
    }
}

/// A number with its unit.
fn scaled(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let digits = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    Some(number.parse::<f64>().ok()? * factor)
}

fn milliseconds(text: &str) -> Option<f64> {
    scaled(
        text,
        &[
            ("us", 0.001),
            ("ms", 1.0),
            ("s", 1_000.0),
            ("m", 60_000.0),
            ("h", 3_600_000.0),
        ],
    )
}

fn size(text: &str) -> Option<f64> {
    const STEP: f64 = 1024.0;
    let units = [
        ("B", 1.0),
        ("KB", STEP),
        ("MB", STEP * STEP),
        ("GB", STEP * STEP * STEP),
        ("TB", STEP.powi(4)),
    ];
    scaled(text, &units)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
Running 8s test @ http://127.0.0.1:8080/v1/feed
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.91ms  635.91us   1.20s    90.12%
    Req/Sec    33.61k     1.21k   36.00k    72.50%
  Latency Distribution
     50%  950.00us
     75%    2.10ms
     90%    2.53ms
     99%    4.10ms
  268800 requests in 8.00s, 525.00MB read
Requests/sec:  33600.50
Transfer/sec:     65.62MB
";

    #[test]
    fn a_report_is_read_whole() {
        let summary = Summary::parse(REPORT).unwrap();
        assert_eq!(summary.requests, 268_800);
        assert!((summary.per_second - 33_600.5).abs() < 1e-9);
        assert!((summary.p50_ms - 0.95).abs() < 1e-9);
        assert!((summary.p99_ms - 4.1).abs() < 1e-9);
        assert!((summary.max_ms - 1_200.0).abs() < 1e-9);
        assert!((summary.bytes_each - 2_048.0).abs() < 1e-9);
        assert_eq!(summary.errors.total(), 0);
    }

    #[test]
    fn errors_are_never_overlooked() {
        let report = format!(
            "{REPORT}  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\n"
        );
        let errors = Summary::parse(&report).unwrap().errors;
        assert_eq!(
            errors,
            Errors {
                connect: 1,
                read: 2,
                write: 3,
                timeout: 4,
                status: 5
            }
        );
        assert_eq!(errors.total(), 15);
    }

    #[test]
    fn text_that_is_no_report_is_refused() {
        for text in ["", "unable to connect to 127.0.0.1", "Requests/sec: many"] {
            assert_eq!(Summary::parse(text), None, "{text}");
        }
    }
}
