//! `corkboard secrets`: keys that seal stored credentials, and sealing anew when they change.

use corkboard_core::story::story;
use corkboard_core::time::{Clock as _, SystemClock};
use corkboard_fetch::{Sealed, Vault};
use corkboard_store::ControlStore;

use super::settings;
use crate::cli::{ConfigFile, SecretsCommand};
use crate::exit::{Failure, Outcome};
use crate::settings::vault;
use crate::stores::Control;
use crate::{output, runtime};

/// Credentials that are in memory at a time.
const BATCH: u32 = 250;

pub(crate) fn run(config: &ConfigFile, command: &SecretsCommand) -> Outcome {
    match command {
        SecretsCommand::Generate => generate(),
        SecretsCommand::Reseal => reseal(config),
    }
}

/// A key named by the day, which is what one wants to know of it later.
fn generate() -> Outcome {
    let id = SystemClock.now().day().to_string();
    let key = Vault::generate(&id).map_err(|error| Failure::Internal(story(&error)))?;
    Ok(output::field("key", &key)?)
}

fn reseal(config: &ConfigFile) -> Outcome {
    let config = settings(config)?.config;
    let vault = vault(&config.secrets)?
        .ok_or_else(|| Failure::usage("there is no key: set secrets.keys".to_owned()))?;
    let (resealed, failed) = runtime::block_on(async {
        let opened = Control::open(&config.store).await?;
        let outcome = all(&*opened.store, &vault).await;
        opened.close().await;
        outcome
    })?;
    output::field("key", vault.newest())?;
    output::field("resealed", &resealed.to_string())?;
    if failed == 0 {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{failed} credentials cannot be opened with the configured keys; keep the older keys"
    )))
}

/// Seals with the newest key what was sealed with another one. Returns how many, and how many could
/// not be opened. What is replaced meanwhile is sealed with the newest key already, if the nodes
/// have it.
async fn all(control: &dyn ControlStore, vault: &Vault) -> Outcome<(u64, u64)> {
    let (mut resealed, mut failed) = (0, 0);
    let mut last = None;
    loop {
        let after = last.as_ref();
        let after = after.map(|(workspace, name): &(_, String)| (*workspace, name.as_str()));
        let batch = control.all_credentials(after, BATCH).await?;
        let Some(end) = batch.last() else {
            return Ok((resealed, failed));
        };
        last = Some((end.workspace, end.name.clone()));
        for old in batch.iter().filter(|old| old.key != vault.newest()) {
            let (workspace, name, hosts) = (old.workspace, &old.name, &old.hosts);
            let sealed = Sealed {
                key: old.key.clone(),
                bytes: old.sealed.clone(),
            };
            let opened = vault.open(workspace, name, hosts, &sealed);
            match opened.and_then(|secret| vault.seal(workspace, name, hosts, &secret)) {
                Ok(new) => {
                    let done = control.reseal_credential(old, &new.key, &new.bytes);
                    resealed += u64::from(done.await?);
                }
                Err(error) => {
                    tracing::error!(%workspace, name, problem = story(&error), "not resealed");
                    failed += 1;
                }
            }
        }
    }
}
