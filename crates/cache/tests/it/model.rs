//! Every interleaving of a small model: two processes, one key, readers, writers, and messages that
//! arrive late. The model's Redis is held against the real scripts; its rules can be broken one by
//! one, and each broken rule must be found out.

use std::collections::HashSet;
use std::time::Duration;

use corkboard_cache::{Looked, Token};
use corkboard_testkit::RedisServer;
use proptest::prelude::*;

use crate::node::{Node, Source, key};

/// What the protocol asks for; a mutant leaves one out.
#[derive(Debug, Clone, Copy)]
struct Rules {
    /// Fill only under the lease that was given.
    lease: bool,
    /// Keep in memory only what no void has overtaken.
    flight: bool,
    /// Tell the other processes.
    tell: bool,
    /// Void one's own memory again after Redis.
    again: bool,
}

const ALL: Rules = Rules {
    lease: true,
    flight: true,
    tell: true,
    again: true,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Slot {
    Absent,
    Leased(u8),
    Value(u8),
}

impl Slot {
    /// What `Redis::look` does.
    fn look(&mut self, token: u8) -> Self {
        let found = *self;
        if found == Self::Absent {
            *self = Self::Leased(token);
        }
        found
    }

    /// What `Redis::fill` does.
    fn fill(&mut self, token: u8, value: u8, careful: bool) -> bool {
        let may = !careful || *self == Self::Leased(token);
        if may {
            *self = Self::Value(value);
        }
        may
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Join,
    Look,
    Ask { token: Option<u8> },
    Land { version: u8, token: Option<u8> },
    Fill { version: u8, token: u8 },
    Commit,
    VoidOwn,
    VoidRedis,
    VoidAgain,
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Actor {
    node: usize,
    step: Step,
    /// What was acknowledged on this node when a reader began.
    promised: u8,
    /// The node's count of voids when a reader began.
    flight: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    source: u8,
    redis: Slot,
    memory: [Option<u8>; 2],
    voids: [u8; 2],
    acknowledged: [u8; 2],
    undelivered: [u8; 2],
    tokens: u8,
    actors: Vec<Actor>,
}

impl State {
    fn new(actors: &[(usize, Step)]) -> Self {
        let actor = |(node, step): &(usize, Step)| Actor {
            node: *node,
            step: *step,
            promised: 0,
            flight: 0,
        };
        Self {
            source: 0,
            redis: Slot::Absent,
            memory: [None; 2],
            voids: [0; 2],
            acknowledged: [0; 2],
            undelivered: [0; 2],
            tokens: 0,
            actors: actors.iter().map(actor).collect(),
        }
    }

    fn void(&mut self, node: usize) {
        self.memory[node] = None;
        self.voids[node] += 1;
    }

    /// Lets one actor do its next step; a broken promise is an error.
    fn act(&mut self, place: usize, rules: Rules) -> Result<(), String> {
        let mut actor = self.actors[place];
        let node = actor.node;
        let mut seen = None;
        actor.step = match actor.step {
            Step::Join => {
                actor.promised = self.acknowledged[node];
                actor.flight = self.voids[node];
                seen = self.memory[node];
                if seen.is_some() {
                    Step::Done
                } else {
                    Step::Look
                }
            }
            Step::Look => {
                self.tokens += 1;
                let token = self.tokens;
                match self.redis.look(token) {
                    Slot::Value(version) => Step::Land {
                        version,
                        token: None,
                    },
                    Slot::Absent => Step::Ask { token: Some(token) },
                    Slot::Leased(_) => Step::Ask { token: None },
                }
            }
            Step::Ask { token } => Step::Land {
                version: self.source,
                token,
            },
            Step::Land { version, token } => {
                seen = Some(version);
                if !rules.flight || self.voids[node] == actor.flight {
                    self.memory[node] = Some(version);
                }
                token.map_or(Step::Done, |token| Step::Fill { version, token })
            }
            Step::Fill { version, token } => {
                self.redis.fill(token, version, rules.lease);
                Step::Done
            }
            Step::Commit => {
                self.source += 1;
                actor.promised = self.source;
                Step::VoidOwn
            }
            Step::VoidOwn => {
                self.void(node);
                Step::VoidRedis
            }
            Step::VoidRedis => {
                self.redis = Slot::Absent;
                if rules.tell {
                    self.undelivered = self.undelivered.map(|count| count + 1);
                }
                Step::VoidAgain
            }
            Step::VoidAgain => {
                if rules.again {
                    self.void(node);
                }
                self.acknowledged[node] = self.acknowledged[node].max(actor.promised);
                Step::Done
            }
            Step::Done => Step::Done,
        };
        self.actors[place] = actor;
        match seen {
            Some(seen) if seen < actor.promised => {
                Err(format!("a reader saw an old value: {self:?}"))
            }
            _ => Ok(()),
        }
    }

    /// Nothing old is left anywhere once all is quiet.
    fn check_quiet(&self) -> Result<(), String> {
        let old_in_memory = self
            .memory
            .iter()
            .flatten()
            .any(|seen| *seen != self.source);
        let old_in_redis = matches!(self.redis, Slot::Value(seen) if seen != self.source);
        if old_in_memory || old_in_redis {
            return Err(format!("old values are left: {self:?}"));
        }
        Ok(())
    }
}

/// Walks every interleaving; how many states there were, or the first that breaks a promise.
fn explore(start: State, rules: Rules) -> Result<usize, String> {
    let (mut seen, mut open) = (HashSet::new(), vec![start]);
    while let Some(state) = open.pop() {
        if !seen.insert(state.clone()) {
            continue;
        }
        let mut quiet = true;
        for place in 0..state.actors.len() {
            if state.actors[place].step != Step::Done {
                quiet = false;
                let mut next = state.clone();
                next.act(place, rules)?;
                open.push(next);
            }
        }
        for node in 0..2 {
            if state.undelivered[node] > 0 {
                quiet = false;
                let mut next = state.clone();
                next.undelivered[node] -= 1;
                next.void(node);
                open.push(next);
            }
        }
        if quiet {
            state.check_quiet()?;
        }
    }
    Ok(seen.len())
}

/// Two readers here, one there, and a writer on either side.
fn crowd() -> State {
    let (read, write) = (Step::Join, Step::Commit);
    State::new(&[(0, read), (0, read), (1, read), (0, write), (1, write)])
}

fn few() -> State {
    State::new(&[
        (0, Step::Join),
        (0, Step::Join),
        (1, Step::Join),
        (0, Step::Commit),
    ])
}

#[test]
fn no_interleaving_leaves_or_shows_an_old_value() {
    let states = explore(few(), ALL).unwrap();
    println!("{states} states with one write");
    assert!(states > 1_000);
}

#[test]
fn nor_does_one_with_two_writes_at_once() {
    let mut state = crowd();
    state.actors.remove(1);
    let states = explore(state, ALL).unwrap();
    println!("{states} states with two writes");
    assert!(states > 10_000);
}

#[test]
fn every_rule_is_needed() {
    let mutants = [
        (
            "lease",
            Rules {
                lease: false,
                ..ALL
            },
        ),
        (
            "flight",
            Rules {
                flight: false,
                ..ALL
            },
        ),
        ("tell", Rules { tell: false, ..ALL }),
        (
            "again",
            Rules {
                again: false,
                ..ALL
            },
        ),
    ];
    for (rule, rules) in mutants {
        let found = explore(few(), rules);
        assert!(found.is_err(), "nobody needs the rule '{rule}'");
    }
}

#[derive(Debug, Clone, Copy)]
enum Move {
    Look,
    /// With one of the tokens given so far.
    Fill(usize, u8),
    Release(usize),
    Void,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        3 => Just(Move::Look),
        3 => (any::<usize>(), any::<u8>()).prop_map(|(token, value)| Move::Fill(token, value)),
        1 => any::<usize>().prop_map(Move::Release),
        2 => Just(Move::Void),
    ];
    proptest::collection::vec(one, 1..12)
}

/// The same moves on the model's slot and on a real key.
async fn compare(node: &Node, name: &str, moves: &[Move]) {
    let (mut slot, user) = (Slot::Absent, key(name));
    let mut tokens: Vec<Token> = Vec::new();
    for step in moves {
        match step {
            Move::Look => {
                let number = u8::try_from(tokens.len()).unwrap();
                let modelled = slot.look(number);
                match node
                    .redis
                    .look(&user, Duration::from_secs(60))
                    .await
                    .unwrap()
                {
                    Looked::Lease(token) => {
                        assert_eq!(modelled, Slot::Absent);
                        tokens.push(token);
                    }
                    Looked::Leased => assert!(matches!(modelled, Slot::Leased(_))),
                    Looked::Value(bytes) => assert_eq!(modelled, Slot::Value(bytes[0])),
                }
            }
            Move::Fill(token, value) if !tokens.is_empty() => {
                let number = token % tokens.len();
                let modelled = slot.fill(u8::try_from(number).unwrap(), *value, true);
                let (token, hour) = (&tokens[number], Duration::from_secs(3_600));
                let filled = node.redis.fill(token, &[*value], hour).await;
                assert_eq!(filled.unwrap(), modelled);
            }
            Move::Release(token) if !tokens.is_empty() => {
                let number = token % tokens.len();
                if slot == Slot::Leased(u8::try_from(number).unwrap()) {
                    slot = Slot::Absent;
                }
                node.redis.release(&tokens[number]).await;
            }
            Move::Void => {
                slot = Slot::Absent;
                assert!(node.redis.void(std::slice::from_ref(&user), false).await);
            }
            Move::Fill(..) | Move::Release(_) => {}
        }
    }
}

#[test]
fn the_models_redis_is_the_real_one() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let server = runtime.block_on(RedisServer::start(&[]));
    let node = runtime.block_on(Node::join(&server.url(), &Source::new()));
    let runs = std::cell::Cell::new(0);
    proptest!(ProptestConfig::with_cases(64), |(moves in moves())| {
        runs.set(runs.get() + 1);
        runtime.block_on(compare(&node, &format!("run-{}", runs.get()), &moves));
    });
    runtime.block_on(async { drop(node) });
}
