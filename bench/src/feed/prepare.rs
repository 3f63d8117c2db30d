//! A store worth reading: users with a personal card, a pointer card and three broadcasts each.

use std::time::Duration;

use crate::console::say;
use crate::failure::{Failure, Result};
use crate::http;
use crate::nginx::Nginx;
use crate::node::Site;
use crate::{Setting, campaigns, users};

const LONGEST_LAUNCH: Duration = Duration::from_mins(5);
const BROADCASTS: usize = 3;

/// A store with its users and cards, and no node running on it.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) site: Site,
    /// One for each user.
    pub(super) tokens: Vec<String>,
    /// The first user's feed.
    pub(super) body: Vec<u8>,
    pub(super) cards: usize,
    tag: String,
}

/// The entity tags under which both servers know the first user's feed.
#[derive(Debug)]
pub(super) struct Tags {
    pub(super) nginx: String,
    pub(super) corkboard: String,
}

impl Prepared {
    pub(super) async fn new(setting: &Setting, count: usize) -> Result<Self> {
        say(&format!("feed: {count} users: loading and launching"));
        let site = Site::create(setting, "feed", "").await?;
        let signer = site.signer();
        let tokens: Vec<String> = (0..count)
            .map(|number| signer.token(&users::id(number)))
            .collect();
        let node = site.start(None).await?;
        node.api.track(count).await?;
        let mut launched = vec![campaigns::personal(), campaigns::pointer()];
        launched.extend((0..BROADCASTS).map(campaigns::broadcast));
        let wanted = launched.len();
        for campaign in launched {
            let campaign = node.api.create(&campaign).await?;
            let dispatch = node.api.launch(&campaign).await?;
            node.api
                .finish(&dispatch, LONGEST_LAUNCH, || Ok(()))
                .await?;
        }
        let reply = http::feed(&http::reader(&site.base(), &tokens[0])).await?;
        let cards = reply.json()["cards"].as_array().map_or(0, Vec::len);
        if cards != wanted {
            return Err(Failure::unexpected(format!(
                "a feed has {cards} cards, wanted {wanted}"
            )));
        }
        let tag = reply.header("etag").unwrap_or_default().to_owned();
        node.stop().await?;
        Ok(Self {
            site,
            tokens,
            body: reply.body.to_vec(),
            cards,
            tag,
        })
    }

    /// Both servers' tags of the same feed, each tried once: the node must be running.
    pub(super) async fn tags(&self, nginx: &Nginx) -> Result<Tags> {
        let yardstick = http::reader(&nginx.base(), &self.tokens[0]);
        let tag = http::feed(&yardstick)
            .await?
            .header("etag")
            .unwrap_or_default()
            .to_owned();
        let tags = Tags {
            nginx: tag,
            corkboard: self.tag.clone(),
        };
        let node = http::reader(&self.site.base(), &self.tokens[0]);
        for (client, tag) in [(&yardstick, &tags.nginx), (&node, &tags.corkboard)] {
            let reply = client
                .get("/v1/feed")
                .header("if-none-match", tag)
                .try_send()
                .await?;
            if reply.status != 304 {
                let what = format!("{client:?}, asked with If-None-Match: {tag},");
                return Err(Failure::Answer {
                    what,
                    status: reply.status,
                    body: reply.text(),
                });
            }
        }
        Ok(tags)
    }
}
