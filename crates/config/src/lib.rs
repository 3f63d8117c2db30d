//! One documented TOML schema: defaults, file, environment, flags; every problem at once.
//!
//! The defaults are the file [`default_toml`] itself, so that what is documented is what is used.
//! [`Config::load`] lays file, environment and flags over it, checks every key and every pair of
//! keys that must agree, and returns either a [`Config`] with warnings or all problems together.
//! The environment and the files are handed in by the caller; nothing is read or printed here.

mod agree;
mod config;
mod duration;
mod layers;
mod problem;
mod reader;
mod sections;
mod size;
mod tree;
mod url;

pub use config::{Config, default_toml};
pub use layers::{Layers, VARIABLE_PREFIX};
pub use problem::{Problem, Source, Warning};
pub use sections::auth::AuthConfig;
pub use sections::cache::CacheConfig;
pub use sections::edge::EdgeConfig;
pub use sections::feed::FeedConfig;
pub use sections::fetch::FetchConfig;
pub use sections::limits::LimitsConfig;
pub use sections::log::{LogConfig, LogFormat, LogLevel};
pub use sections::origin::{EndpointConfig, EndpointSource, OriginConfig};
pub use sections::secrets::{SecretKey, SecretsConfig};
pub use sections::send::SendConfig;
pub use sections::store::{DatabaseConfig, DatabaseLayout, StoreConfig, StoreKind};
pub use sections::template::TemplateConfig;
pub use url::{Redacted, ServiceUrl};
