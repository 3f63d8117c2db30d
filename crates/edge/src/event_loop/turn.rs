//! The turns of an event loop.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::bells::Bells;
use super::house::House;
use super::poller::Poller;
use super::{Newcomer, Surroundings};
use crate::service::HttpService;
use crate::turn::Turn;

/// Connections that are looked after before other tasks have their turn, of each kind of news.
const AT_A_TIME: usize = 256;

pub(super) struct EventLoop<S>
where
    S: HttpService,
{
    house: House<S>,
    poller: Poller,
    bells: Arc<Bells>,
    /// Who has rung and was not looked after yet.
    rung: Vec<usize>,
    newcomers: mpsc::Receiver<Newcomer<S>>,
    draining: Signal,
    aborting: Signal,
}

impl<S> EventLoop<S>
where
    S: HttpService,
{
    pub(super) fn new(
        newcomers: mpsc::Receiver<Newcomer<S>>,
        surroundings: &Surroundings,
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        let closing = &surroundings.closing;
        Ok(Self {
            house: House::new(surroundings.clone(), poller.registered()?),
            poller,
            bells: Arc::default(),
            rung: Vec::new(),
            newcomers,
            draining: Signal::new(closing.drain().cancelled_owned()),
            aborting: Signal::new(closing.abort().clone().cancelled_owned()),
        })
    }

    /// Goes on until it is dropped, or cannot.
    pub(super) async fn run(mut self) {
        let error = poll_fn(|cx| self.turn(cx)).await;
        tracing::error!(%error, "an event loop has ended, and its connections with it");
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let turn = Turn::begin();
        if self.draining.has_come(cx) {
            self.house.look_after_all();
        }
        if self.aborting.has_come(cx) {
            self.house.abort_all();
        }
        let mut more = self.let_in(cx);
        more |= self.answer_bells(cx);
        match self.hear(cx, &turn) {
            Ok(left) => more |= left,
            Err(error) => return Poll::Ready(error),
        }
        self.house.poll_timers(cx);
        more |= self.house.send_due();
        self.house.count();
        if more {
            // Not only after other tasks: after news of other sockets, too, which tokio asks for before it
            // wakes those who have yielded.
            let _pending = pin!(yield_now()).poll(cx);
        }
        Poll::Pending
    }

    fn let_in(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..AT_A_TIME {
            let Poll::Ready(Some(newcomer)) = self.newcomers.poll_recv(cx) else {
                return false;
            };
            self.house.move_in(newcomer, &self.bells);
        }
        true
    }

    fn answer_bells(&mut self, cx: &mut Context<'_>) -> bool {
        if self.rung.is_empty() {
            self.bells.poll(cx, &mut self.rung);
        }
        let turn = self.rung.len().min(AT_A_TIME);
        for key in self.rung.drain(..turn) {
            self.house.look_after(key);
        }
        self.house.send_due();
        // Who rings while the others are looked after finds nobody asleep.
        if self.rung.is_empty() {
            self.bells.poll(cx, &mut self.rung);
        }
        !self.rung.is_empty()
    }

    fn hear(&mut self, cx: &mut Context<'_>, turn: &Turn) -> io::Result<bool> {
        let mut heard = 0;
        while heard < AT_A_TIME {
            let Poll::Ready(news) = self.poller.poll_news(cx) else {
                return Ok(false);
            };
            turn.goes_on();
            for event in news? {
                heard += 1;
                self.house.hear(event.token().0, event);
            }
            self.house.send_due();
        }
        Ok(true)
    }
}

/// Something that comes once.
struct Signal(Option<Pin<Box<WaitForCancellationFutureOwned>>>);

impl Signal {
    fn new(waiting: WaitForCancellationFutureOwned) -> Self {
        Self(Some(Box::pin(waiting)))
    }

    /// True once.
    fn has_come(&mut self, cx: &mut Context<'_>) -> bool {
        let come = self
            .0
            .as_mut()
            .is_some_and(|waiting| waiting.as_mut().poll(cx).is_ready());
        if come {
            self.0 = None;
        }
        come
    }
}
