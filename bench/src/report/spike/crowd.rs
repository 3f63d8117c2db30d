//! Connections that only hold on, beside the rest.

use std::path::Path;

use crate::failure::Result;
use crate::spike::Crowd;

pub(super) fn section(_part: &Crowd, _folder: &Path) -> Result<String> {
    Ok(String::new())
}
