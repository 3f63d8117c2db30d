//! One kept connection whose answers are looked into: status, length, and whose card it is.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PATIENCE;

/// What a card says before its user's name.
const MARKER: &[u8] = b"for [N";

/// Answers so far.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Seen {
    pub(super) whole: u64,
    pub(super) refused: u64,
    pub(super) reports: u64,
}

impl Seen {
    pub(super) fn add(&mut self, other: &Self) {
        self.whole += other.whole;
        self.refused += other.refused;
        self.reports += other.reports;
    }
}

/// A connection, and the tokens of all users in their order.
pub(super) struct Reader {
    stream: TcpStream,
    tokens: Vec<String>,
    /// Bytes that have come, of which so many have been looked at.
    buffer: Vec<u8>,
    taken: usize,
    /// The card of whoever was asked for last.
    card: Option<String>,
    pub(super) seen: Seen,
}

impl Reader {
    pub(super) async fn open(api: &str, tokens: Vec<String>) -> Self {
        let address = api.strip_prefix("http://").unwrap();
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            tokens,
            buffer: Vec::new(),
            taken: 0,
            card: None,
            seen: Seen::default(),
        }
    }

    /// Asks for the feeds of these users, all at once, and looks into every answer.
    pub(super) async fn burst(&mut self, users: &[u32]) {
        let mut requests = String::new();
        for user in users {
            let token = &self.tokens[*user as usize];
            requests.push_str(&format!(
                "GET /v1/feed HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\n\r\n"
            ));
        }
        self.stream.write_all(requests.as_bytes()).await.unwrap();
        for (place, user) in users.iter().enumerate() {
            let (status, body) = self.answer().await;
            match status {
                200 => {
                    is_of(body, *user);
                    if place == 0 {
                        let feed: Value = serde_json::from_slice(body).unwrap();
                        let id = feed["cards"][0]["id"].as_str();
                        self.card = id.map(str::to_owned);
                    }
                    self.seen.whole += 1;
                }
                503 => {
                    assert!(!holds(body, MARKER), "a refusal with a card");
                    self.seen.refused += 1;
                }
                other => panic!("{other}: {}", String::from_utf8_lossy(body)),
            }
        }
    }

    /// Reports that this user, the first of the last burst, has seen the card.
    pub(super) async fn report(&mut self, user: u32) {
        let Some(card) = self.card.take() else {
            return;
        };
        let body = json!({"events": [{"card_id": card, "kind": "impression"}]}).to_string();
        let (length, token) = (body.len(), &self.tokens[user as usize]);
        let request = format!(
            "POST /v1/feed/events HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let (status, body) = self.answer().await;
        let body = String::from_utf8_lossy(body).into_owned();
        assert!(matches!(status, 202 | 503), "{status}: {body}");
        self.seen.reports += u64::from(status == 202);
    }

    /// The next answer's status and body.
    async fn answer(&mut self) -> (u16, &[u8]) {
        loop {
            if let Some((status, from, until)) = parse(&self.buffer[self.taken..]) {
                let range = self.taken + from..self.taken + until;
                self.taken = range.end;
                return (status, &self.buffer[range]);
            }
            self.buffer.drain(..self.taken);
            self.taken = 0;
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
            let read = read.expect("an answer in time").unwrap();
            assert!(read > 0, "the node closed a kept connection");
        }
    }
}

/// An answer's status, and where its body begins and ends; `None` as long as a part is missing.
fn parse(bytes: &[u8]) -> Option<(u16, usize, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().unwrap())
    });
    let (from, length) = (end + 4, length.expect("a body of known length"));
    (bytes.len() >= from + length).then_some((status, from, from + length))
}

/// Fails unless the feed has one card, which is this user's.
fn is_of(body: &[u8], user: u32) {
    let cards = body.windows(MARKER.len()).filter(|part| *part == MARKER);
    let own = format!("for [N{user}]");
    if cards.count() != 1 || !holds(body, own.as_bytes()) {
        panic!("asked for {user}: {}", String::from_utf8_lossy(body));
    }
}

fn holds(body: &[u8], text: &[u8]) -> bool {
    body.windows(text.len()).any(|part| part == text)
}

#[test]
#[should_panic(expected = "asked for 7")]
fn another_users_card_is_noticed() {
    is_of(br#"{"cards":[{"title":"for [N71]"}]}"#, 7);
}

#[test]
#[should_panic(expected = "asked for 7")]
fn a_second_card_is_noticed() {
    is_of(
        br#"{"cards":[{"title":"for [N7]"},{"title":"for [N8]"}]}"#,
        7,
    );
}

#[test]
fn answers_are_taken_apart_in_their_order() {
    let two = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(parse(two), Some((200, 38, 40)));
    assert_eq!(parse(&two[40..]), Some((503, 40, 40)));
    assert_eq!(parse(&two[..39]), None);
}
