//! Two origins behind a balancer.

use std::path::Path;

use crate::failure::Result;
use crate::spike::Pair;

pub(super) fn section(_part: &Pair, _folder: &Path) -> Result<String> {
    Ok(String::new())
}
