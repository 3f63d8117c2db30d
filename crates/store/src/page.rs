//! Pages of lists: a limit, and where the last page ended.

/// Most items of one page.
pub const MAX_PAGE: u32 = 250;

/// Which page is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// 1 to [`MAX_PAGE`].
    pub limit: u32,
    /// The `next` of the page before; absent for the first page.
    pub after: Option<String>,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self {
            limit: 50,
            after: None,
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Opaque to callers; absent on the last page.
    pub next: Option<String>,
}
