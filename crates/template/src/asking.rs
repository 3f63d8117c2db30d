//! How the fetches of a card are answered: by waiting for each, or by trying and putting the card aside.
//!
//! A card that was put aside is rendered anew, with the answers it has had already: rendering is
//! deterministic and costs next to nothing, while a suspended render would hold its memory, and a call
//! that was answered must not be made twice.

use corkboard_core::connected::{
    ConnectedContent, FetchBody, FetchRequest, FetchResponse, FetchScope, FetchVerdict,
};

/// What a card knows of its fetches between two goes: the answers it has had, and how often the
/// fetch that it waits for was tried.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answers {
    settled: Vec<FetchResponse>,
    /// Which fetch is to be tried again, counted over all fields, and the number of that try.
    due: Option<(usize, u8)>,
}

impl Answers {
    /// About how much memory the answers hold. Bodies that others hold, too, are counted in full.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let of = |response: &FetchResponse| {
            let body = match &response.body {
                FetchBody::Empty => 0,
                // Parsed, a document takes some four times its text.
                _ => usize::try_from(response.report.bytes)
                    .unwrap_or(usize::MAX)
                    .saturating_mul(4),
            };
            body.saturating_add(size_of::<FetchResponse>())
        };
        let settled = self.settled.iter().map(of);
        settled.fold(size_of::<Self>(), usize::saturating_add)
    }

    /// Forgets the answers, to save memory, and keeps the count of tries. What the cache does not
    /// hold is fetched again.
    pub fn forget(&mut self) {
        self.settled = Vec::new();
    }

    /// The number of the next try of the fetch that is waited for; 1 before the first.
    #[must_use]
    pub fn attempt(&self) -> u8 {
        self.due.map_or(1, |(_, attempt)| attempt)
    }
}

/// Answers the fetches of one card, in order.
#[derive(Debug)]
pub(crate) struct Asking<'a> {
    fetcher: &'a dyn ConnectedContent,
    scope: FetchScope,
    /// Absent when whoever renders waits through retries.
    answers: Option<&'a mut Answers>,
    /// Fetches that have been answered in this go.
    made: usize,
}

impl<'a> Asking<'a> {
    /// Waits through the retries of each fetch.
    pub(crate) fn patiently(fetcher: &'a dyn ConnectedContent, scope: FetchScope) -> Self {
        Self {
            fetcher,
            scope,
            answers: None,
            made: 0,
        }
    }

    /// Tries each fetch once, and remembers what came of it.
    pub(crate) fn trying(
        fetcher: &'a dyn ConnectedContent,
        scope: FetchScope,
        answers: &'a mut Answers,
    ) -> Self {
        Self {
            answers: Some(answers),
            ..Self::patiently(fetcher, scope)
        }
    }

    pub(crate) async fn answer(&mut self, request: FetchRequest) -> FetchResponse {
        let number = self.made;
        self.made += 1;
        let Some(answers) = self.answers.as_deref_mut() else {
            return self.fetcher.fetch(self.scope, request).await;
        };
        if let Some(known) = answers.settled.get(number) {
            return known.clone();
        }
        let attempt = match answers.due {
            Some((waiting, attempt)) if waiting == number => attempt,
            _ => 1,
        };
        let response = self.fetcher.attempt(self.scope, request, attempt).await;
        match response.report.verdict {
            FetchVerdict::Again { attempt, .. } => answers.due = Some((number, attempt)),
            FetchVerdict::Settled | FetchVerdict::GaveUp => {
                // Without a gap: after `forget` the first ones are asked for again, in order.
                if answers.settled.len() == number {
                    answers.settled.push(response.clone());
                }
            }
        }
        response
    }
}
