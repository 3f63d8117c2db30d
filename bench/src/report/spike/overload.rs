//! Offered load beyond what can be done.

use std::path::Path;

use crate::failure::Result;
use crate::spike::Overload;

pub(super) fn section(_part: &Overload, _folder: &Path) -> Result<String> {
    Ok(String::new())
}
