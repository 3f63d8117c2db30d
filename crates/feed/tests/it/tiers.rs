//! Two nodes over the same stores and one Redis: what one writes the other shows, and nobody gets
//! what is somebody else's.

use std::sync::Arc;
use std::time::Duration;

use corkboard_cache::{Redis, RedisOptions, TierOptions};
use corkboard_core::dispatch::{Dispatch, Shape};
use corkboard_core::hint::FeedChanges;
use corkboard_core::time::Clock;
use corkboard_feed::{FeedOptions, FeedQuery, FeedTier, Feeds, LiveHub, VoidingCardStore};
use corkboard_store::CardStore;
use corkboard_store::card_store::{CardBatch, Durability, Eligibility, NewCard, SharedContent};
use corkboard_testkit::{RedisServer, wait_until};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::world::{World, definition, titled, titles, user};

const SECOND: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(30);
/// Requests of the run that looks for other users' cards.
const REQUESTS: usize = 100_000;

struct Node {
    feeds: Feeds,
    cards: VoidingCardStore,
    tier: FeedTier,
    _end: DropGuard,
}

impl Node {
    async fn of(world: &World, redis: Option<&RedisServer>) -> Self {
        Self::with(world, redis, TierOptions::default()).await
    }

    async fn with(world: &World, redis: Option<&RedisServer>, options: TierOptions) -> Self {
        let (tasks, end, hub) = (TaskTracker::new(), CancellationToken::new(), LiveHub::new());
        let mut tier = FeedTier::new(hub.clone(), options, tasks.clone());
        if let Some(server) = redis {
            let options = RedisOptions {
                timeout: Duration::from_millis(250),
                ..RedisOptions::default()
            };
            let redis = Redis::open(&server.url(), options, tier.ears(), &tasks, end.clone());
            let redis = redis.unwrap();
            assert!(redis.joined(SOON).await);
            tier = tier.shared(redis, &tasks, end.clone());
        }
        let store: Arc<dyn CardStore> = world.cards.clone();
        let deps = corkboard_feed::Deps {
            cards: Arc::new(VoidingCardStore::new(Arc::clone(&store), tier.clone())),
            hub,
            ..world.deps()
        };
        Self {
            feeds: Feeds::with_tier(deps, FeedOptions::default(), tier.clone()),
            cards: VoidingCardStore::new(store, tier.clone()),
            tier,
            _end: end.drop_guard(),
        }
    }

    async fn feed(&self, world: &World, of: &str) -> Value {
        let query = FeedQuery::default();
        let reply = self.feeds.read(world.workspace, &user(of), &query).await;
        serde_json::from_slice(&reply.unwrap().body).unwrap()
    }

    async fn give(&self, world: &World, dispatch: &Dispatch, to: &str, title: &str) {
        let batch = CardBatch {
            workspace: world.workspace,
            campaign: dispatch.campaign,
            dispatch: dispatch.id,
            cohort: dispatch.cohort,
            planned_at: dispatch.planned_at,
            eligibility: Eligibility::of(dispatch),
            fence: None,
            durability: Durability::Now,
            shared: vec![SharedContent {
                variant: 0,
                presentation: dispatch.definition.presentation(),
                content: None,
            }],
            cards: vec![NewCard {
                user: user(to),
                variant: 0,
                expires_at: dispatch.expires_at,
                content: Some(titled(title)),
            }],
        };
        self.cards.ensure_cohort(dispatch.cohort).await.unwrap();
        let outcomes = self.cards.write_cards(batch, world.clock.now()).await;
        assert_eq!(outcomes.unwrap().len(), 1);
    }
}

async fn dispatch(world: &World) -> Dispatch {
    let campaign = world.campaign(definition(json!({}))).await;
    world.dispatch(&campaign, Shape::Personal).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_and_its_hint_reach_the_other_node_within_a_second() {
    let (world, server) = (World::new().await, RedisServer::start(&[]).await);
    let nodes = [
        Node::of(&world, Some(&server)).await,
        Node::of(&world, Some(&server)).await,
    ];
    let mut listening = nodes[1]
        .feeds
        .subscribe(world.workspace, &user("ada"))
        .unwrap();
    for round in 0..5 {
        let dispatch = dispatch(&world).await;
        for node in &nodes {
            node.feed(&world, "ada").await;
        }
        nodes[0].give(&world, &dispatch, "ada", "Hello").await;
        assert_eq!(titles(&nodes[0].feed(&world, "ada").await).len(), round + 1);
        let hint = timeout(SECOND, listening.next()).await.unwrap().unwrap();
        let feed = nodes[1].feed(&world, "ada").await;
        assert_eq!(titles(&feed).len(), round + 1, "seen by whoever was hinted");
        assert_eq!(feed["cursor"], hint.cursor.as_str());
    }
    let card = &nodes[1].feed(&world, "ada").await["cards"][0]["id"];
    let click = serde_json::from_value(json!([{"card_id": card, "kind": "dismiss"}])).unwrap();
    let ada = user("ada");
    nodes[1]
        .feeds
        .record(world.workspace, &ada, click)
        .await
        .unwrap();
    assert_eq!(titles(&nodes[1].feed(&world, "ada").await).len(), 4);
    wait_until(SECOND, "the dismissal on the other node", || async {
        match titles(&nodes[0].feed(&world, "ada").await).len() {
            4 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broadcasts_are_told_to_the_other_node_and_change_no_users_key() {
    let (world, server) = (World::new().await, RedisServer::start(&[]).await);
    let nodes = [
        Node::of(&world, Some(&server)).await,
        Node::of(&world, Some(&server)).await,
    ];
    for number in 0..50 {
        nodes[1].feed(&world, &format!("user-{number}")).await;
    }
    let sets = || {
        let info = server.command(&["INFO", "commandstats"]);
        let line = info.lines().find(|line| line.starts_with("cmdstat_set:"));
        line.and_then(|line| line.split(',').next())
            .map(str::to_owned)
    };
    // A lease and a fill for each; fills end after their readers have been served.
    wait_until(SOON, "the last fill", || async {
        match sets().as_deref() {
            Some("cmdstat_set:calls=100") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let (size, before) = (server.command(&["DBSIZE"]), sets());
    let campaign = world.broadcast(json!({})).await;
    nodes[0].tier.workspace_changed(world.workspace);
    for number in 0..50 {
        let name = format!("user-{number}");
        wait_until(SECOND, "the broadcast", || async {
            match titles(&nodes[1].feed(&world, &name).await).len() {
                1 => Ok(()),
                other => Err(other.to_string()),
            }
        })
        .await;
    }
    world.stop(campaign.id, true).await;
    nodes[0].tier.workspace_changed(world.workspace);
    wait_until(SECOND, "the stop", || async {
        match titles(&nodes[1].feed(&world, "user-7").await).len() {
            0 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    let after = (server.command(&["DBSIZE"]), sets());
    assert_eq!((size, before), after, "nobody's key was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_body_holds_another_users_marker() {
    const USERS: usize = 500;
    let (world, server) = (World::new().await, RedisServer::start(&[]).await);
    let nodes = Arc::new([
        Node::of(&world, Some(&server)).await,
        Node::of(&world, Some(&server)).await,
    ]);
    let dispatch = Arc::new(dispatch(&world).await);
    let world = Arc::new(world);
    for number in 0..USERS {
        let name = format!("user-{number:05}");
        nodes[0]
            .give(&world, &dispatch, &name, &format!("for {name}."))
            .await;
    }
    let tasks: Vec<_> = (0..8_usize)
        .map(|task| {
            let (nodes, world) = (Arc::clone(&nodes), Arc::clone(&world));
            async move {
                for request in 0..REQUESTS / 8 {
                    // A walk that visits users in another order in every task.
                    let number = (request * (2 * task + 7) + task * 61) % USERS;
                    let (name, query) = (user(&format!("user-{number:05}")), FeedQuery::default());
                    let node = &nodes[request % 2];
                    let reply = node
                        .feeds
                        .read(world.workspace, &name, &query)
                        .await
                        .unwrap();
                    let body = std::str::from_utf8(&reply.body).unwrap();
                    assert_eq!(body.matches("for user-").count(), 1);
                    assert!(body.contains(&format!("for {}.", name.as_str())), "{body}");
                    if request % 97 == 0 {
                        node.tier
                            .users_changed(world.workspace, std::slice::from_ref(&name));
                        let campaigns = [];
                        let now = world.clock.now();
                        let void = node
                            .cards
                            .remove_cards(world.workspace, &name, &campaigns, now);
                        assert_eq!(void.await.unwrap(), 0);
                    }
                }
            }
        })
        .collect();
    stream::iter(tasks)
        .for_each_concurrent(8, |task| task)
        .await;
}

#[tokio::test]
async fn a_node_alone_sees_its_own_writes_at_once_and_spares_the_store() {
    let world = World::new().await;
    let node = Node::of(&world, None).await;
    assert_eq!(titles(&node.feed(&world, "ada").await).len(), 0);
    for round in 1..=3 {
        let dispatch = dispatch(&world).await;
        node.give(&world, &dispatch, "ada", "Hello").await;
        assert_eq!(titles(&node.feed(&world, "ada").await).len(), round);
    }
    // Written past the tiers: nobody was told, so memory answers as before.
    world.card("ada", json!({})).await;
    assert_eq!(titles(&node.feed(&world, "ada").await).len(), 3);
    // A card that expires leaves a composed feed without anybody being told.
    world.later(86_401);
    assert_eq!(titles(&node.feed(&world, "ada").await).len(), 0);
}

/// Reads a second by one reader, one after the other.
async fn rate(feeds: &Feeds, world: &World) -> f64 {
    const READS: u32 = 1_000;
    let (ada, query) = (user("ada"), FeedQuery::default());
    let begin = Instant::now();
    for _ in 0..READS {
        feeds.read(world.workspace, &ada, &query).await.unwrap();
    }
    f64::from(READS) / begin.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_faster_than_the_store() {
    let (world, server) = (World::new().await, RedisServer::start(&[]).await);
    for _ in 0..3 {
        world.card("ada", json!({})).await;
    }
    let no_memory = TierOptions {
        memory_bytes: 0,
        ..TierOptions::default()
    };
    let memory = Node::of(&world, Some(&server)).await;
    let redis = Node::with(&world, Some(&server), no_memory).await;
    memory.feed(&world, "ada").await;
    let rates = [
        rate(&world.feeds, &world).await,
        rate(&redis.feeds, &world).await,
        rate(&memory.feeds, &world).await,
    ];
    let [store, redis, memory] = rates;
    println!(
        "reads a second by one reader: store {store:.0}, redis {redis:.0}, memory {memory:.0}"
    );
    assert!(memory > store * 2.0, "{rates:?}");
}
