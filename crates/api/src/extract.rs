//! What handlers are given: bodies, paths, queries and callers, read and checked.

mod body;
mod caller;
mod path;
mod query;
mod reader;

pub(crate) use body::{ApiJson, escaped, read as read_body};
pub(crate) use caller::{Caller, authenticate, scope};
pub(crate) use path::{ApiPath, BlockName, CredentialName, ObjectPath, is_name};
pub(crate) use query::{ApiQuery, PageQuery, page};
pub(crate) use reader::Reader;
