//! The thread that moves the bytes: one epoll, kept connections, one request in flight on each.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, sockopt};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use super::Load;
use super::answer::{self, Seen};
use super::desk::Desk;
use super::tally::Tally;
use crate::failure::{Failure, Result, While as _};

/// Longest sleep, so that an order to stop is heard.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);
/// Before a connection that could not be opened is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(20);
/// For the first connections.
const OPEN_WITHIN: Duration = Duration::from_secs(10);
const READ_AT_ONCE: usize = 64 * 1024;
/// Events of one look: answers are looked at before the clock is read again.
const EVENTS: usize = 256;

#[derive(Debug)]
struct Wire<'a> {
    load: &'a Load,
    epoll: OwnedFd,
    desk: Desk,
    lines: Vec<Line>,
    /// Connections to be opened, and not before when.
    closed: Vec<(Duration, usize)>,
    begun: Instant,
    next_request: usize,
    buffer: Vec<u8>,
}

/// One connection.
#[derive(Debug, Default)]
struct Line {
    socket: Option<OwnedFd>,
    state: State,
    /// Which request it was given last.
    asked: usize,
    /// What came of an answer so far.
    part: Vec<u8>,
    /// It has been answered on before.
    was_used: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Opening,
    Open,
}

/// Runs a load to its end, or until it is told to stop.
pub(super) fn drive(load: &Load, stop: &AtomicBool) -> Result<Tally> {
    if let Some(cpu) = load.cpu {
        let mut cpus = CpuSet::new();
        cpus.set(cpu);
        sched_setaffinity(None, &cpus).while_doing("pinning the generator")?;
    }
    let mut wire = Wire::new(load)?;
    wire.open_all(stop)?;
    wire.run(stop)
}

impl<'a> Wire<'a> {
    fn new(load: &'a Load) -> Result<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC).while_doing("an epoll")?,
            desk: Desk::new(&load.profile, load.deadline, load.connections),
            lines: (0..load.connections).map(|_| Line::default()).collect(),
            closed: (0..load.connections)
                .map(|line| (Duration::ZERO, line))
                .collect(),
            begun: Instant::now(),
            next_request: load.first,
            buffer: Vec::with_capacity(READ_AT_ONCE),
            load,
        })
    }

    /// The first request is due when all connections are there.
    fn open_all(&mut self, stop: &AtomicBool) -> Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        while self.lines.iter().any(|line| line.state != State::Open) {
            if stop.load(Ordering::Relaxed) || self.begun.elapsed() > OPEN_WITHIN {
                return Err(Failure::Late(format!(
                    "{} connections to {}",
                    self.load.connections, self.load.server
                )));
            }
            self.reopen(self.begun.elapsed());
            self.look(&mut events, AGAIN_AFTER)?;
        }
        self.begun = Instant::now();
        Ok(())
    }

    fn run(mut self, stop: &AtomicBool) -> Result<Tally> {
        let last = self.load.profile.lasts() + self.load.deadline;
        let mut events = Vec::with_capacity(EVENTS);
        let (mut step, mut cpu) = (0, thread_cpu());
        let mut now = Duration::ZERO;
        while !self.desk.is_done() && now <= last && !stop.load(Ordering::Relaxed) {
            self.reopen(now);
            while let Some(line) = self.desk.send(now) {
                self.write(line, now);
            }
            let coming = self.desk.step().unwrap_or(step);
            if coming != step {
                let used = thread_cpu();
                self.desk.used_cpu(step, used - cpu);
                (step, cpu) = (coming, used);
            }
            let wake = self.desk.wake().unwrap_or(now + LONGEST_SLEEP);
            let reopening = self.closed.iter().map(|(at, _)| *at).min();
            let wake = wake.min(reopening.unwrap_or(wake));
            let pause = wake.saturating_sub(self.begun.elapsed());
            self.look(&mut events, pause.min(LONGEST_SLEEP))?;
            now = self.begun.elapsed();
        }
        self.desk.used_cpu(step, thread_cpu() - cpu);
        let mut tally = self.desk.finish(now);
        tally.begun = self.begun;
        Ok(tally)
    }

    /// Waits for events, at most so long, and does what they ask for.
    fn look(&mut self, events: &mut Vec<epoll::Event>, pause: Duration) -> Result<()> {
        events.clear();
        let pause = Timespec::try_from(pause).ok();
        match epoll::wait(&self.epoll, spare_capacity(events), pause.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).while_doing("waiting for answers"),
        }
        let now = self.begun.elapsed();
        for event in events.iter() {
            let Ok(line) = usize::try_from(event.data.u64()) else {
                continue;
            };
            match self.lines[line].state {
                State::Closed => {}
                State::Opening => self.opened(line, now),
                State::Open => self.read(line, now),
            }
        }
        Ok(())
    }

    /// Begins to open what is closed and has waited for long enough.
    fn reopen(&mut self, now: Duration) {
        let mut number = 0;
        while number < self.closed.len() {
            let (at, line) = self.closed[number];
            if at > now {
                number += 1;
                continue;
            }
            self.closed.swap_remove(number);
            let socket = connecting(self.load, &self.epoll, line);
            match socket {
                Ok(socket) => {
                    self.lines[line] = Line {
                        socket: Some(socket),
                        state: State::Opening,
                        ..Line::default()
                    }
                }
                Err(_) => self.closed.push((now + AGAIN_AFTER, line)),
            }
        }
    }

    fn opened(&mut self, number: usize, now: Duration) {
        let line = &mut self.lines[number];
        let Some(socket) = &line.socket else { return };
        let works = matches!(sockopt::socket_error(socket), Ok(Ok(())));
        let watched = works
            && epoll::modify(
                &self.epoll,
                socket,
                epoll::EventData::new_u64(number as u64),
                epoll::EventFlags::IN,
            )
            .is_ok();
        if watched {
            line.state = State::Open;
            self.desk.opened(number);
        } else {
            self.close(number, now + AGAIN_AFTER);
        }
    }

    fn write(&mut self, number: usize, now: Duration) {
        let asked = self.next_request % self.load.requests.len();
        let request = &self.load.requests[asked];
        self.next_request = self.next_request.wrapping_add(1);
        let line = &mut self.lines[number];
        line.asked = asked;
        let sent = line
            .socket
            .as_ref()
            .map(|socket| rustix::net::send(socket, request, SendFlags::NOSIGNAL));
        // A request is far smaller than an empty socket's room, so a part is as good as nothing.
        if !matches!(sent, Some(Ok(bytes)) if bytes == request.len()) {
            self.lost(number, now);
        }
    }

    fn read(&mut self, number: usize, now: Duration) {
        self.buffer.clear();
        let line = &mut self.lines[number];
        let Some(socket) = &line.socket else { return };
        match rustix::io::read(socket, spare_capacity(&mut self.buffer)) {
            Ok(0) => return self.lost(number, now),
            Ok(_) => {}
            Err(Errno::AGAIN | Errno::INTR) => return,
            Err(_) => return self.lost(number, now),
        }
        if !line.part.is_empty() {
            line.part.extend_from_slice(&self.buffer);
        }
        let have = if line.part.is_empty() {
            &self.buffer
        } else {
            &line.part
        };
        match answer::read(have) {
            Seen::Part if line.part.is_empty() => line.part.extend_from_slice(&self.buffer),
            Seen::Part => {}
            // Nothing is asked ahead, so nothing may follow an answer.
            Seen::Whole {
                bytes,
                body_from,
                kind,
                closes,
            } if bytes == have.len() => {
                let kind = match self.load.marks.get(line.asked) {
                    Some(mark) => answer::marked(kind, &have[body_from..], mark),
                    None => kind,
                };
                line.part.clear();
                line.was_used = true;
                self.desk.answered(number, now, kind, closes);
                if closes {
                    self.close(number, now);
                }
            }
            Seen::Whole { .. } | Seen::Broken => {
                line.was_used = false;
                self.lost(number, now);
            }
        }
    }

    fn lost(&mut self, number: usize, now: Duration) {
        let line = &self.lines[number];
        let silently = line.was_used && line.part.is_empty();
        self.desk.lost(number, now, silently);
        self.close(number, now);
    }

    fn close(&mut self, number: usize, again_at: Duration) {
        // Closing the socket takes it out of the epoll.
        self.lines[number] = Line::default();
        self.closed.push((again_at, number));
    }
}

/// A socket that is being connected and tells the epoll when it is.
fn connecting(load: &Load, watch: &OwnedFd, line: usize) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    // Ended with a reset: ports that are waited for would be used up after some runs.
    sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
    rustix::net::bind(&socket, &SocketAddr::new(load.source, 0))?;
    match rustix::net::connect(&socket, &load.server) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    let data = epoll::EventData::new_u64(line as u64);
    epoll::add(watch, &socket, data, epoll::EventFlags::OUT)?;
    Ok(socket)
}

fn thread_cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
