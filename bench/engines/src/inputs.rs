//! What all engines get: the same users, the same campaign, one template in each language.

use std::fs;
use std::path::Path;

use serde_json::value::RawValue;

use crate::engine::Outcome;

pub(crate) struct Inputs {
    /// Each user's JSON as it is stored.
    pub(crate) users: Vec<String>,
    /// The campaign's JSON, which is the same for all.
    pub(crate) campaign: String,
    pub(crate) liquid: String,
    pub(crate) jinja: String,
}

impl Inputs {
    pub(crate) fn read(folder: &Path) -> Outcome<Self> {
        let text = |name: &str| fs::read_to_string(folder.join(name));
        let users = text("users.json")?;
        let users: Vec<&RawValue> = serde_json::from_str(&users)?;
        Ok(Self {
            users: users.iter().map(|user| user.get().to_owned()).collect(),
            campaign: text("campaign.json")?,
            liquid: text("card.liquid")?,
            jinja: text("card.jinja")?,
        })
    }
}
