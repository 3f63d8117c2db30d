//! Looking through all keys of an endpoint that Redis has, a page at a time.

use corkboard_cache::CallError;
use futures_util::{Stream, stream};

use super::Origin;
use super::patience::Retries;
use crate::key::Key;
use crate::rows::{Rows, Scan};

/// Some keys, possibly none.
#[derive(Debug)]
pub(super) struct KeyPage {
    pub(super) keys: Vec<Key>,
    /// Redis has started again, and all keys come once more.
    pub(super) begins_again: bool,
}

struct Look<'o> {
    origin: &'o Origin,
    endpoint: usize,
    scan: Scan,
    retries: &'o Retries,
}

impl Origin {
    /// All keys of an endpoint that Redis has. What is no key of it belongs to a longer prefix, or to
    /// nobody, and is left out.
    pub(super) fn keys_in_redis<'o>(
        &'o self,
        rows: &Rows,
        endpoint: usize,
        retries: &'o Retries,
    ) -> impl Stream<Item = Result<KeyPage, CallError>> + Send + 'o {
        let look = Look {
            origin: self,
            endpoint,
            scan: rows.scan(self.shared.endpoints[endpoint].names.prefix()),
            retries,
        };
        stream::try_unfold(look, |mut look| async move {
            Ok(look.next().await?.map(|page| (page, look)))
        })
    }
}

impl Look<'_> {
    async fn next(&mut self) -> Result<Option<KeyPage>, CallError> {
        let mut attempt = self.retries.begin();
        let page = loop {
            match self.scan.next().await {
                Ok(page) => break page,
                Err(error) => attempt.again(error).await?,
            }
        };
        let served = &self.origin.shared.endpoints[self.endpoint];
        let key = served.description.key;
        Ok(page.map(|page| KeyPage {
            keys: page
                .names
                .iter()
                .filter_map(|name| key.printed(name).filter(|key| served.names.have(key)))
                .collect(),
            begins_again: page.begins_again,
        }))
    }
}
