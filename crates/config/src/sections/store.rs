//! `[store]`: where cards and campaigns are kept.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::duration;
use crate::reader::Section;
use crate::url::ServiceUrl;

/// The schemes of a PostgreSQL URL.
pub(crate) const POSTGRES: [&str; 2] = ["postgres", "postgresql"];

/// Users are divided among them by slots, of which there are so many.
const MOST_DATABASES: usize = 4_096;

/// The store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoreConfig {
    /// Which one, and what it needs.
    #[serde(flatten)]
    pub kind: StoreKind,
    /// How long an expired cohort is kept before it is dropped whole.
    #[serde(serialize_with = "duration::serialize")]
    pub grace: Duration,
    /// Most connections of one process to each database. Of PostgreSQL only.
    pub connections: usize,
}

/// The two stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum StoreKind {
    /// Embedded, one node.
    Sqlite {
        /// Folder of its files.
        path: PathBuf,
    },
    /// Any number of nodes.
    Postgres {
        /// The control database.
        control: ServiceUrl,
        /// The card databases, at least one.
        #[serde(rename = "database")]
        databases: Vec<DatabaseConfig>,
    },
}

/// One card database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseConfig {
    /// How it is called in plans, logs and metrics.
    pub name: String,
    /// Where it is.
    pub url: ServiceUrl,
    /// How its tables are laid out.
    pub layout: DatabaseLayout,
}

/// How a card database's tables are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseLayout {
    /// Partitioned by expiry.
    Cohorts,
    /// One unpartitioned table.
    Flat,
}

#[derive(Clone, Copy)]
enum Kind {
    Sqlite,
    Postgres,
}

impl StoreConfig {
    /// `None` when there is a problem with it.
    pub(crate) fn read(section: &mut Section<'_>) -> Option<Self> {
        let kinds = [("sqlite", Kind::Sqlite), ("postgres", Kind::Postgres)];
        let kind = section.choice("kind", &kinds);
        let path = section.text("path");
        let grace = section.duration("grace", ["0s", "365d"]);
        let connections = section.number("connections", 4..=1_000);
        let control = section.url("control", &POSTGRES);
        let databases = section.sections("database", DatabaseConfig::read);
        let kind = match kind? {
            Kind::Sqlite => StoreKind::Sqlite { path: path.into() },
            Kind::Postgres => {
                if !section.has("control") {
                    section.problem("control", "is required for kind = \"postgres\"");
                }
                if !section.has("database") {
                    let message = "kind = \"postgres\" needs at least one [[store.database]]";
                    section.problem("database", message);
                }
                let databases: Vec<_> = databases.into_iter().flatten().collect();
                if databases.len() > MOST_DATABASES {
                    let message = format!("there can be {MOST_DATABASES} at most");
                    section.problem("database", message);
                }
                for (number, database) in databases.iter().enumerate() {
                    let mut others = databases.iter().take(number);
                    let name = &database.name;
                    if others.clone().any(|other| other.name == *name) {
                        let message = format!("the name \"{name}\" is used twice");
                        section.problem("database", message);
                    }
                    if let Some(other) = others.find(|other| other.url == database.url) {
                        let message =
                            format!("\"{}\" and \"{name}\" have the same url", other.name);
                        section.problem("database", message);
                    }
                }
                StoreKind::Postgres {
                    control: control?,
                    databases,
                }
            }
        };
        Some(Self {
            kind,
            grace,
            connections,
        })
    }
}

impl DatabaseConfig {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let layouts = [
            ("cohorts", DatabaseLayout::Cohorts),
            ("flat", DatabaseLayout::Flat),
        ];
        let name = section.text("name");
        if name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
            section.problem("name", "takes letters, digits and dashes only");
        }
        if !section.has("url") {
            section.problem("url", "is required");
        }
        let url = section.url("url", &POSTGRES);
        let layout = section
            .choice("layout", &layouts)
            .unwrap_or(DatabaseLayout::Cohorts);
        Some(Self {
            name,
            url: url?,
            layout,
        })
    }
}
