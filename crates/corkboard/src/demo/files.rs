//! What a demo remembers in its folder: ids, the app's secret, the API key, the endpoint's port.
//!
//! One file, readable by its owner only. A real installation keeps no key in clear; a demo must,
//! to print the same one at the next start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use corkboard_api::auth::ApiKeySecret;
use corkboard_config::SecretKey;
use corkboard_core::id::{ApiKeyId, AppId, CampaignId, WorkspaceId};
use corkboard_core::time::{Clock as _, SystemClock};
use corkboard_fetch::Vault;
use serde::{Deserialize, Serialize};

use super::{campaigns, memory};
use crate::exit::{Failure, Outcome};

const SECRET_BYTES: usize = 32;

/// Written before anything is stored, so that an interrupted start is completed with the same ids.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remembered {
    pub(super) workspace: WorkspaceId,
    pub(super) app: AppId,
    /// HS256, base64url.
    app_secret: String,
    pub(super) api_key: String,
    /// Seals stored credentials; an older demo has none yet.
    #[serde(default)]
    secret_key: Option<String>,
    /// 0 until it is known.
    pub(super) endpoint_port: u16,
    pub(super) campaigns: Campaigns,
    /// Whether everything is in the store.
    pub(super) seeded: bool,
}

/// The three sample campaigns.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Campaigns {
    pub(super) welcome: CampaignId,
    pub(super) offer: CampaignId,
    pub(super) order: CampaignId,
}

impl Remembered {
    /// Reads what an earlier start has left, or begins anew.
    pub(super) fn open(dir: &Path) -> Outcome<Self> {
        let file = memory(dir);
        match fs::read(&file) {
            Ok(text) => {
                let read: Self = serde_json::from_slice(&text).map_err(|error| {
                    Failure::usage(format!(
                        "{} is not what a demo has written ({error}); start with another --dir",
                        file.display()
                    ))
                })?;
                read.with_secret_key(dir)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let new = Self::generate()?;
                new.with_secret_key(dir)
            }
            Err(error) => Err(unusable(dir, &error)),
        }
    }

    /// Makes the key before anything can be sealed with it.
    fn with_secret_key(mut self, dir: &Path) -> Outcome<Self> {
        if self.secret_key.is_none() {
            let key = Vault::generate("demo");
            let key = key.map_err(|error| Failure::Internal(error.to_string()))?;
            self.secret_key = Some(key);
            self.save(dir)?;
        }
        Ok(self)
    }

    /// For `secrets.keys`.
    pub(super) fn secret_key(&self) -> Option<SecretKey> {
        self.secret_key.clone().map(SecretKey)
    }

    fn generate() -> Outcome<Self> {
        let now = SystemClock.now();
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret)
            .map_err(|error| Failure::Internal(format!("no random numbers: {error}")))?;
        Ok(Self {
            workspace: WorkspaceId::generate(now),
            app: AppId::generate(now),
            app_secret: URL_SAFE_NO_PAD.encode(secret),
            api_key: ApiKeySecret::generate(ApiKeyId::generate(now)).reveal(),
            secret_key: None,
            endpoint_port: 0,
            campaigns: Campaigns {
                welcome: CampaignId::generate(now),
                offer: campaigns::offer_id(now)?,
                order: CampaignId::generate(now),
            },
            seeded: false,
        })
    }

    /// Replaces the file as a whole: a reader sees the old one or the new one.
    pub(super) fn save(&self, dir: &Path) -> Outcome {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Failure::Internal(error.to_string()))?;
        let write = || {
            fs::create_dir_all(dir)?;
            let new = dir.join("demo.json.new");
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, memory(dir))?;
            File::open(dir)?.sync_all()
        };
        write().map_err(|error: io::Error| unusable(dir, &error))
    }

    /// The app's secret as bytes.
    pub(super) fn secret(&self) -> Outcome<Vec<u8>> {
        URL_SAFE_NO_PAD
            .decode(&self.app_secret)
            .map_err(|_| damaged("app_secret"))
    }

    /// The API key taken apart.
    pub(super) fn key(&self) -> Outcome<ApiKeySecret> {
        ApiKeySecret::parse(&self.api_key).map_err(|_| damaged("api_key"))
    }
}

fn unusable(dir: &Path, error: &io::Error) -> Failure {
    Failure::Unavailable(format!(
        "the demo's folder {} cannot be used: {error}",
        dir.display()
    ))
}

fn damaged(field: &str) -> Failure {
    Failure::usage(format!(
        "{field} in demo.json is damaged; start with another --dir"
    ))
}
