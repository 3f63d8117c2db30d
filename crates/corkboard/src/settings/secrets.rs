//! The keys that seal stored credentials, from the configuration and the file that it names.

use std::sync::Arc;

use corkboard_config::SecretsConfig;
use corkboard_core::story::story;
use corkboard_fetch::Vault;

use super::read;
use crate::exit::{Failure, Outcome};

/// The configured keys; `None` when there are none.
pub(crate) fn vault(config: &SecretsConfig) -> Outcome<Option<Arc<Vault>>> {
    let mut entries: Vec<String> = config.keys.iter().map(|key| key.0.clone()).collect();
    if let Some(file) = &config.key_file {
        let text = read(file)?;
        let lines = text.lines().map(str::trim);
        let written = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        entries.extend(written.map(str::to_owned));
    }
    if entries.is_empty() {
        return Ok(None);
    }
    let vault = Vault::new(&entries);
    let vault =
        vault.map_err(|error| Failure::usage(format!("secrets.keys: {}", story(&error))))?;
    Ok(Some(Arc::new(vault)))
}
