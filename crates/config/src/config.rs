//! The whole configuration: reading it from its layers, printing it back.

use std::net::{Ipv4Addr, SocketAddr};

use serde::Serialize;

use crate::agree;
use crate::layers::Layers;
use crate::problem::{Problem, Warning};
use crate::reader::Section;
use crate::sections::auth::AuthConfig;
use crate::sections::cache::CacheConfig;
use crate::sections::edge::EdgeConfig;
use crate::sections::feed::FeedConfig;
use crate::sections::fetch::FetchConfig;
use crate::sections::limits::LimitsConfig;
use crate::sections::log::LogConfig;
use crate::sections::origin::OriginConfig;
use crate::sections::secrets::SecretsConfig;
use crate::sections::send::SendConfig;
use crate::sections::store::StoreConfig;
use crate::sections::template::TemplateConfig;
use crate::tree;

/// Every key, checked and typed. What a key means stands in [`default_toml`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Config {
    /// Where the API, the feed and the console are served.
    pub listen: SocketAddr,
    /// Where metrics, health and the log level are served.
    pub admin_listen: SocketAddr,
    /// Where cards and campaigns are kept.
    pub store: StoreConfig,
    /// Redis between nodes.
    pub cache: CacheConfig,
    /// Connected content.
    pub fetch: FetchConfig,
    /// Keys for what is sealed in the database.
    pub secrets: SecretsConfig,
    /// The pipeline.
    pub send: SendConfig,
    /// What clients may hold and ask for.
    pub limits: LimitsConfig,
    /// What `listen` speaks, and how much work it takes on.
    pub edge: EdgeConfig,
    /// Reading cards.
    pub feed: FeedConfig,
    /// What a template may cost.
    pub template: TemplateConfig,
    /// What goes to stderr.
    pub log: LogConfig,
    /// User tokens.
    pub auth: AuthConfig,
    /// Content from a relational database.
    pub origin: OriginConfig,
}

/// The file that `corkboard config default` prints: every key with its meaning, unit and default.
#[must_use]
pub fn default_toml() -> &'static str {
    include_str!("default.toml")
}

impl Default for Config {
    fn default() -> Self {
        let (config, _) = Self::load(&Layers::new()).expect(
            "the embedded defaults are valid: a test loads them without problem or warning",
        );
        config
    }
}

impl Config {
    /// The defaults with `layers` over them, or everything that is wrong, in the order of layers and
    /// lines.
    pub fn load(layers: &Layers) -> Result<(Self, Vec<Warning>), Vec<Problem>> {
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        let mut defaults = tree::from_file("default.toml", default_toml(), &mut problems);
        tree::forget_places(&mut defaults);
        let tree = layers.over(defaults, &mut problems);

        let mut root = Section::root(&tree, &mut problems);
        let config = Self::read(&mut root);
        root.finish();
        if let Some(config) = &config {
            agree::check(config, &tree, &mut problems, &mut warnings);
        }
        // Stable, so that problems of one line keep the order of the schema.
        problems.sort_by(|a, b| a.source.cmp(&b.source));
        warnings.sort_by(|a, b| a.source.cmp(&b.source));
        match config {
            Some(config) if problems.is_empty() => Ok((config, warnings)),
            _ => Err(problems),
        }
    }

    fn read(root: &mut Section<'_>) -> Option<Self> {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let wanted = "an address and port such as \"127.0.0.1:8080\"";
        let listen = root.parsed("listen", wanted).unwrap_or(nowhere);
        let admin_listen = root.parsed("admin_listen", wanted).unwrap_or(nowhere);
        // Every section is read before any may give up, so that all problems are found.
        let store = root.section("store", StoreConfig::read);
        let cache = root.section("cache", CacheConfig::read);
        let fetch = root.section("fetch", FetchConfig::read);
        let secrets = root.section("secrets", SecretsConfig::read);
        let send = root.section("send", SendConfig::read);
        let limits = root.section("limits", LimitsConfig::read);
        let edge = root.section("edge", EdgeConfig::read);
        let feed = root.section("feed", FeedConfig::read);
        let template = root.section("template", TemplateConfig::read);
        let log = root.section("log", LogConfig::read);
        let auth = root.section("auth", AuthConfig::read);
        let origin = root.section("origin", OriginConfig::read);
        Some(Self {
            listen,
            admin_listen,
            store: store?,
            cache,
            fetch,
            secrets,
            send,
            limits,
            edge,
            feed,
            template,
            log,
            auth,
            origin,
        })
    }

    /// The configuration in force as TOML, passwords redacted.
    #[must_use]
    pub fn effective_toml(&self) -> String {
        toml::to_string_pretty(self)
            .expect("a struct of text, numbers, lists and tables with text keys is always TOML")
    }
}
