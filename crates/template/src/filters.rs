//! The filters. Adding one is a function in the file of its family and its line in [`FILTERS`].

mod affix;
mod base64;
mod cut;
mod date;
mod default;
mod delimiter;
mod digest;
mod html;
mod items;
mod json;
mod letters;
mod list;
mod math;
mod money;
mod query;
mod replace;
mod sort;
mod url;

use crate::error::TemplateError;
use crate::runtime::Runtime;
use crate::value::Value;

/// Most arguments that any filter takes.
pub(crate) const MAX_ARGUMENTS: usize = 4;

/// Filters whose results can stand in a URL as they are.
pub(crate) const FIT_FOR_URLS: &[&str] = &[
    "base64_url_safe_encode",
    "hmac_sha1",
    "hmac_sha1_hex",
    "hmac_sha256",
    "hmac_sha256_hex",
    "hmac_sha512",
    "hmac_sha512_hex",
    "md5",
    "sha1",
    "sha2",
    "sha256",
    "sha512",
    "size",
    "url_encode",
    "url_escape",
    "url_param_escape",
];

/// The arguments of one call.
#[derive(Debug)]
pub(crate) struct Args<'a> {
    pub(crate) positional: &'a [Value],
    pub(crate) keyword: Option<Value>,
}

impl Args<'_> {
    /// Argument number `n`, if it was given.
    fn given(&self, n: usize) -> Option<Value> {
        self.positional.get(n).copied()
    }

    /// Argument number `n`, or nil.
    fn at(&self, n: usize) -> Value {
        self.given(n).unwrap_or(Value::Nil)
    }
}

/// What a filter is: value in, value out, with the render's memory and fuel.
pub(crate) type FilterFn = fn(&mut Runtime, Value, &Args<'_>) -> Result<Value, TemplateError>;

pub(crate) struct FilterSpec {
    name: &'static str,
    pub(crate) run: FilterFn,
    /// Fewest and most positional arguments.
    pub(crate) arguments: (u8, u8),
    pub(crate) keyword: Option<&'static str>,
    /// Whether the result may depend on the time of the render.
    pub(crate) reads_time: bool,
    /// What a call costs besides what it works through: about as many steps as it takes the time of.
    pub(crate) cost: u8,
}

const fn filter(name: &'static str, run: FilterFn, fewest: u8, most: u8) -> FilterSpec {
    FilterSpec {
        name,
        run,
        arguments: (fewest, most),
        keyword: None,
        reads_time: false,
        cost: 1,
    }
}

const fn dear(name: &'static str, run: FilterFn, fewest: u8, most: u8) -> FilterSpec {
    FilterSpec {
        cost: 30,
        ..filter(name, run, fewest, most)
    }
}

/// In order of their names: they are found by binary search.
const FILTERS: &[FilterSpec] = &[
    filter("abs", math::abs, 0, 0),
    filter("append", affix::append, 1, 1),
    filter("as_json_string", json::json, 0, 0),
    filter("at_least", math::at_least, 1, 1),
    filter("at_most", math::at_most, 1, 1),
    filter("base64_decode", base64::decode, 0, 0),
    filter("base64_encode", base64::encode, 0, 0),
    filter("base64_url_safe_decode", base64::url_safe_decode, 0, 0),
    filter("base64_url_safe_encode", base64::url_safe_encode, 0, 0),
    filter("capitalize", letters::capitalize, 0, 0),
    filter("ceil", math::ceil, 0, 0),
    filter("compact", list::compact, 0, 1),
    filter("concat", list::concat, 1, 1),
    FilterSpec {
        reads_time: true,
        ..dear("date", date::date, 1, 1)
    },
    FilterSpec {
        keyword: Some("allow_false"),
        ..filter("default", default::default, 0, 1)
    },
    filter("divided_by", math::divided_by, 1, 1),
    filter("downcase", letters::downcase, 0, 0),
    filter("escape", html::escape, 0, 0),
    filter("escape_once", html::escape_once, 0, 0),
    filter("find", query::find, 1, 2),
    filter("find_index", query::find_index, 1, 2),
    filter("first", list::first, 0, 0),
    filter("floor", math::floor, 0, 0),
    filter("h", html::escape, 0, 0),
    filter("has", query::has, 1, 2),
    dear("hmac_sha1", digest::hmac_sha1_hex, 1, 1),
    dear("hmac_sha1_base64", digest::hmac_sha1_base64, 1, 1),
    dear("hmac_sha1_hex", digest::hmac_sha1_hex, 1, 1),
    dear("hmac_sha256", digest::hmac_sha256_hex, 1, 1),
    dear("hmac_sha256_base64", digest::hmac_sha256_base64, 1, 1),
    dear("hmac_sha256_hex", digest::hmac_sha256_hex, 1, 1),
    dear("hmac_sha512", digest::hmac_sha512_hex, 1, 1),
    dear("hmac_sha512_base64", digest::hmac_sha512_base64, 1, 1),
    dear("hmac_sha512_hex", digest::hmac_sha512_hex, 1, 1),
    filter("join", list::join, 0, 1),
    filter("json", json::json, 0, 0),
    filter("json_escape", json::json_escape, 0, 0),
    dear("json_parse", json::json_parse, 0, 0),
    filter("last", list::last, 0, 0),
    filter("lstrip", affix::lstrip, 0, 0),
    filter("map", query::map, 1, 1),
    dear("md5", digest::md5, 0, 0),
    filter("minus", math::minus, 1, 1),
    filter("modulo", math::modulo, 1, 1),
    filter("money", money::money, 0, 0),
    filter("newline_to_br", affix::newline_to_br, 0, 0),
    filter(
        "number_with_delimiter",
        delimiter::number_with_delimiter,
        0,
        1,
    ),
    filter("plus", math::plus, 1, 1),
    filter("prepend", affix::prepend, 1, 1),
    filter("property_accessor", query::property_accessor, 1, 1),
    filter("reject", query::reject, 1, 2),
    filter("remove", replace::remove, 1, 1),
    filter("remove_first", replace::remove_first, 1, 1),
    filter("remove_last", replace::remove_last, 1, 1),
    filter("replace", replace::replace, 1, 2),
    filter("replace_first", replace::replace_first, 1, 2),
    filter("replace_last", replace::replace_last, 2, 2),
    filter("reverse", list::reverse, 0, 0),
    filter("round", math::round, 0, 1),
    filter("rstrip", affix::rstrip, 0, 0),
    dear("sha1", digest::sha1, 0, 0),
    dear("sha2", digest::sha256, 0, 0),
    dear("sha256", digest::sha256, 0, 0),
    dear("sha512", digest::sha512, 0, 0),
    filter("size", list::size, 0, 0),
    filter("slice", cut::slice, 1, 2),
    filter("sort", sort::sort, 0, 1),
    filter("sort_natural", sort::sort_natural, 0, 1),
    filter("split", cut::split, 1, 1),
    filter("strip", affix::strip, 0, 0),
    filter("strip_html", html::strip_html, 0, 0),
    filter("strip_newlines", affix::strip_newlines, 0, 0),
    filter("sum", query::sum, 0, 1),
    FilterSpec {
        reads_time: true,
        ..dear("time_zone", date::zone::time_zone, 1, 1)
    },
    filter("times", math::times, 1, 1),
    FilterSpec {
        reads_time: true,
        ..dear("timezone", date::zone::time_zone, 1, 1)
    },
    filter("truncate", cut::truncate, 0, 2),
    filter("truncatewords", cut::truncatewords, 0, 2),
    filter("uniq", list::uniq, 0, 1),
    filter("upcase", letters::upcase, 0, 0),
    filter("url_decode", url::url_decode, 0, 0),
    filter("url_encode", url::url_encode, 0, 0),
    filter("url_escape", url::url_escape, 0, 0),
    filter("url_param_escape", url::url_param_escape, 0, 0),
    filter("where", query::where_, 1, 2),
];

pub(crate) fn find(name: &str) -> Option<&'static FilterSpec> {
    FILTERS
        .binary_search_by(|spec| spec.name.cmp(name))
        .ok()
        .map(|index| &FILTERS[index])
}

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().map(|spec| spec.name)
}

/// An argument count in words.
pub(crate) fn count((fewest, most): (u8, u8)) -> String {
    match (fewest, most) {
        (0, 0) => "no arguments".to_owned(),
        (1, 1) => "one argument".to_owned(),
        (n, m) if n == m => format!("{n} arguments"),
        (n, m) => format!("{n} to {m} arguments"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_no_filter_takes_too_much() {
        assert!(FILTERS.is_sorted_by(|a, b| a.name < b.name));
        for spec in FILTERS {
            let most = usize::from(spec.arguments.1) + usize::from(spec.keyword.is_some());
            assert!(most <= MAX_ARGUMENTS, "{}", spec.name);
        }
    }
}
