//! What a launch will ask of other people's hosts, estimated on some users of the audience.
//!
//! The cards of the sample are rendered up to the first fetch of each text, and nothing is fetched. A
//! request that comes twice in the sample is taken for one that is the same for many; one that comes
//! once, for one of its own.

use std::collections::{BTreeMap, HashMap};

use corkboard_core::campaign::Campaign;
use corkboard_core::connected::{FetchCaching, FetchMethod, FetchRequest};
use corkboard_core::slot::SlotRange;
use corkboard_core::user::User;
use corkboard_store::card_store::{ScanDetail, ScanRequest};
use corkboard_template::FetchSite;
use corkboard_template::personal::{CompiledCampaign, Job};
use serde_json::Map;

use super::DYNAMIC_HOST;
use crate::error::Result;
use crate::sender::Sender;

/// Users that are looked at.
const SAMPLE: usize = 200;

/// What one host will be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCalls {
    /// With its port, if it has one in the URL.
    pub host: String,
    /// Requests of templates.
    pub calls: u64,
    /// Of them, those that the cache will answer or that share another one's call.
    pub cached: u64,
    /// How long the rest takes at the cap on calls per second, where there is one.
    pub seconds: Option<u64>,
}

/// The requests of a sample.
#[derive(Debug, Default)]
pub(super) struct Sample {
    pub(super) users: u64,
    requests: HashMap<FetchRequest, u64>,
}

impl Sample {
    pub(super) fn add(&mut self, requests: impl IntoIterator<Item = FetchRequest>) {
        self.users += 1;
        for request in requests {
            *self.requests.entry(request).or_default() += 1;
        }
    }

    /// What an audience of this size will ask, host by host.
    pub(super) fn of(self, audience: u64, per_second: u32) -> Vec<HostCalls> {
        let Self { users, requests } = self;
        let all = |count: u64| {
            let scaled = u128::from(count) * u128::from(audience) / u128::from(users.max(1));
            u64::try_from(scaled).unwrap_or(u64::MAX)
        };
        // For each host: calls of the sample; calls made once for all; calls that grow with the users.
        let mut hosts: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
        for (request, count) in requests {
            let host = FetchSite::host_of(&request.url);
            let host = host.unwrap_or_else(|| DYNAMIC_HOST.to_owned());
            let (calls, shared, own) = hosts.entry(host).or_default();
            *calls += count;
            match (is_cached(&request), count) {
                (true, 2..) => *shared += 1,
                (true, _) => *own += 1,
                (false, count) => *own += count,
            }
        }
        let estimate = |(host, (calls, shared, own)): (String, (u64, u64, u64))| {
            let calls = all(calls);
            let made = (shared + all(own)).min(calls);
            let seconds = (per_second > 0).then(|| made.div_ceil(u64::from(per_second)));
            HostCalls {
                host,
                calls,
                cached: calls - made,
                seconds,
            }
        };
        hosts.into_iter().map(estimate).collect()
    }
}

fn is_cached(request: &FetchRequest) -> bool {
    match request.caching {
        FetchCaching::Default => request.method == FetchMethod::Get,
        FetchCaching::MaxAge(_) => true,
        FetchCaching::Never => false,
    }
}

impl Sender {
    /// Some users of the campaign's audience and what their cards would fetch.
    pub(super) async fn sample(
        &self,
        campaign: &Campaign,
        compiled: &CompiledCampaign,
    ) -> Result<Sample> {
        let now = self.now();
        let request = ScanRequest {
            workspace: campaign.workspace,
            slots: SlotRange::ALL,
            after: None,
            audience: &campaign.definition.audience,
            detail: ScanDetail::Attributes,
            now,
            limit: SAMPLE,
        };
        let users = self.cards().scan_users(&request).await?.users;
        let none = Map::new();
        let mut sample = Sample::default();
        for user in &users {
            let requests = |user: &User| {
                let variant = compiled.choose(campaign.id, &user.id)?;
                let job = Job {
                    workspace: campaign.workspace,
                    campaign: campaign.id,
                    campaign_name: &campaign.definition.name,
                    dispatch: None,
                    variant,
                    user,
                    properties: &none,
                    event_properties: &none,
                    now,
                    card_bytes: usize::MAX,
                };
                Some(compiled.first_fetches(&job))
            };
            sample.add(requests(user).unwrap_or_default());
            tokio::task::consume_budget().await;
        }
        Ok(sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(url: &str) -> FetchRequest {
        FetchRequest {
            url: url.to_owned(),
            ..FetchRequest::default()
        }
    }

    fn sample(of: impl Fn(u64) -> FetchRequest) -> Sample {
        let mut sample = Sample::default();
        (0..100).for_each(|user| sample.add([of(user)]));
        sample
    }

    fn only(calls: Vec<HostCalls>) -> (String, u64, u64, Option<u64>) {
        let [one] = calls.try_into().unwrap();
        let HostCalls {
            host,
            calls,
            cached,
            seconds,
        } = one;
        (host, calls, cached, seconds)
    }

    #[test]
    fn a_request_of_ones_own_is_called_for_everybody() {
        let own = sample(|user| get(&format!("https://a.example/{user}")));
        let expected = ("a.example".to_owned(), 50_000, 0, Some(500));
        assert_eq!(only(own.of(50_000, 100)), expected);
    }

    #[test]
    fn one_that_is_the_same_for_all_is_called_once() {
        let expected = ("a.example".to_owned(), 50_000, 49_999, None);
        assert_eq!(
            only(sample(|_| get("https://a.example/x")).of(50_000, 0)),
            expected
        );
        let ten = sample(|user| get(&format!("https://a.example/{}", user % 10)));
        assert_eq!(only(ten.of(50_000, 0)).2, 49_990);
    }

    #[test]
    fn what_is_not_cached_is_called_every_time() {
        for (method, caching, cached) in [
            (FetchMethod::Post, FetchCaching::Default, 0),
            (FetchMethod::Get, FetchCaching::Never, 0),
            (
                FetchMethod::Post,
                FetchCaching::MaxAge(std::time::Duration::from_secs(300)),
                999,
            ),
        ] {
            let request = FetchRequest {
                method,
                caching,
                ..get("https://a.example/x")
            };
            assert_eq!(
                only(sample(|_| request.clone()).of(1_000, 0)).2,
                cached,
                "{request:?}"
            );
        }
        let bodies = |user: u64| FetchRequest {
            caching: FetchCaching::MaxAge(std::time::Duration::from_secs(300)),
            body: Some(user.to_string()),
            ..get("https://a.example/x")
        };
        assert_eq!(
            only(sample(bodies).of(1_000, 0)).2,
            0,
            "the body tells them apart"
        );
    }
}
