//! The options of the tag: which there are, what values they take, and where the values go.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use corkboard_core::connected::{FetchCaching, FetchMethod, FetchRequest};

use super::{Piece, Request, fragment, unquote};
use crate::compiler::Compiler;
use crate::cursor::Cursor;
use crate::error::{TemplateError, codes};
use crate::near::near;
use crate::scan::is_space;

/// What `:cache_max_age` may ask for, in seconds. What is outside is moved inside.
const CACHE_SECONDS: RangeInclusive<u64> = 300..=14_400;
/// The most that `:stale_if_error` may ask for, in seconds.
const LONGEST_STALE: u64 = 86_400;

/// A part of a request that a value stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Url,
    Method,
    Headers,
    Body,
    ContentType,
    Credential,
    CacheMaxAge,
    StaleIfError,
    Timeout,
    RetryMax,
}

/// What an option is.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Stands alone.
    Flag,
    /// Names a variable.
    Save,
    /// Has one word as its value.
    Word(Part),
    /// Has any text as its value.
    Text(Part),
}

const OPTIONS: &[(&str, Kind)] = &[
    ("save", Kind::Save),
    ("method", Kind::Word(Part::Method)),
    ("headers", Kind::Text(Part::Headers)),
    ("body", Kind::Text(Part::Body)),
    ("content_type", Kind::Word(Part::ContentType)),
    ("basic_auth", Kind::Text(Part::Credential)),
    ("auth_credentials", Kind::Text(Part::Credential)),
    ("cache_max_age", Kind::Word(Part::CacheMaxAge)),
    ("no_cache", Kind::Flag),
    ("stale_if_error", Kind::Word(Part::StaleIfError)),
    ("timeout", Kind::Word(Part::Timeout)),
    ("retry", Kind::Flag),
    ("retry_max", Kind::Word(Part::RetryMax)),
    ("rerender", Kind::Flag),
];

/// An option that others have and this engine has not, with what to write instead.
const REFUSED: &[(&str, &str)] = &[("cache", "results are cached anyway; see ':cache_max_age'")];

/// Whether a name ends the value in front of it, whatever that value is.
pub(super) fn is_known(name: &str) -> bool {
    find(name).is_some() || REFUSED.iter().any(|(refused, _)| *refused == name)
}

fn find(name: &str) -> Option<Kind> {
    let found = OPTIONS.iter().find(|(option, _)| *option == name);
    found.map(|(_, kind)| *kind)
}

/// Compiles the options that follow the URL.
pub(super) fn compile<'s>(
    c: &mut Compiler<'s>,
    request: &mut Request,
    pieces: impl Iterator<Item = Piece>,
) -> Result<(), TemplateError> {
    let mut given: Vec<&'s str> = Vec::new();
    for piece in pieces {
        let name = c.cut(piece.name);
        let Some(kind) = find(name) else {
            return Err(at_name(c, piece, codes::UNSUPPORTED_OPTION, unknown(name)));
        };
        if let Some(earlier) = given.iter().find(|earlier| excludes(earlier, name)) {
            let message = if *earlier == name {
                format!("':{name}' is given twice")
            } else {
                format!("':{name}' and ':{earlier}' exclude each other")
            };
            return Err(at_name(c, piece, codes::SYNTAX_ERROR, message));
        }
        option(c, request, piece, kind)?;
        given.push(name);
    }
    if given.contains(&"retry") && !given.contains(&"retry_max") {
        request.constant.retries = FetchRequest::DEFAULT_RETRIES;
    }
    Ok(())
}

/// Whether the one cannot stand beside the other.
fn excludes(one: &str, other: &str) -> bool {
    const PAIRS: &[[&str; 2]] = &[
        ["basic_auth", "auth_credentials"],
        ["no_cache", "cache_max_age"],
    ];
    one == other
        || PAIRS
            .iter()
            .any(|pair| pair.contains(&one) && pair.contains(&other))
}

fn option(
    c: &mut Compiler<'_>,
    request: &mut Request,
    piece: Piece,
    kind: Kind,
) -> Result<(), TemplateError> {
    let name = c.cut(piece.name);
    let value = unquote(c.source, piece.value);
    let text = c.cut(value);
    let alone = matches!(kind, Kind::Flag);
    if text.is_empty() != alone {
        let message = if alone {
            format!("':{name}' takes no value")
        } else {
            format!("':{name}' needs a value")
        };
        return Err(at_name(c, piece, codes::SYNTAX_ERROR, message));
    }
    let computed = text.contains("{{");
    if !computed && text.contains(is_space) && matches!(kind, Kind::Save | Kind::Word(_)) {
        let message = format!("':{name}' takes one word, not '{text}'");
        return Err(at_name(c, piece, codes::SYNTAX_ERROR, message));
    }
    match kind {
        Kind::Flag if name == "no_cache" => request.constant.caching = FetchCaching::Never,
        Kind::Flag if name == "rerender" => request.rerender = true,
        // `:retry` waits for what `:retry_max` says.
        Kind::Flag => {}
        Kind::Save => {
            let mut cursor = Cursor::tag(c.source, value);
            let name = cursor
                .target()
                .ok_or_else(|| cursor.unexpected("a name behind ':save'"))?;
            cursor.finish()?;
            request.slot = c.slot(name)?;
            request.saved = true;
        }
        Kind::Word(part) | Kind::Text(part) if computed => {
            fragment(c, value)?;
            request.parts.push(part);
        }
        Kind::Word(part) | Kind::Text(part) => {
            let filled = part.fill(text, &mut request.constant);
            filled.map_err(|problem| {
                let message = format!("':{name}' {problem}");
                TemplateError::new(codes::UNSUPPORTED_OPTION, message).at(c.source, value.start)
            })?;
        }
    }
    Ok(())
}

fn unknown(name: &str) -> String {
    if let Some((_, instead)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return format!("'connected_content' has no option ':{name}': {instead}");
    }
    let near = near(name, OPTIONS.iter().map(|(option, _)| *option));
    format!("'connected_content' has no option ':{name}'{near}")
}

fn at_name(c: &Compiler<'_>, piece: Piece, code: &'static str, message: String) -> TemplateError {
    TemplateError::new(code, message).at(c.source, piece.name.start)
}

impl Part {
    /// The option that it belongs to, for messages.
    pub(crate) fn name(self) -> &'static str {
        let is_mine =
            |kind: &Kind| matches!(kind, Kind::Word(part) | Kind::Text(part) if *part == self);
        let mine = OPTIONS.iter().find(|(_, kind)| is_mine(kind));
        mine.map_or("url", |(name, _)| *name)
    }

    /// Puts a value into its place. No Liquid is left in it.
    ///
    /// The error says what is wrong with the value, to stand behind the option's name.
    pub(crate) fn fill(self, text: &str, request: &mut FetchRequest) -> Result<(), String> {
        let shown = || text.chars().take(40).collect::<String>();
        match self {
            Self::Url => text.clone_into(&mut request.url),
            Self::Body => request.body = Some(text.to_owned()),
            Self::ContentType => request.content_type = Some(text.to_owned()),
            Self::Credential => request.credential = Some(text.to_owned()),
            Self::Headers => request.headers = headers(text)?,
            Self::Method => {
                let named = FetchMethod::named(text);
                request.method = named.ok_or_else(|| {
                    format!("is get, post, put, patch or delete, not '{}'", shown())
                })?;
            }
            Self::CacheMaxAge => {
                let seconds = whole_seconds(text)?;
                let seconds = seconds.clamp(*CACHE_SECONDS.start(), *CACHE_SECONDS.end());
                request.caching = FetchCaching::MaxAge(Duration::from_secs(seconds));
            }
            Self::StaleIfError => {
                let seconds = whole_seconds(text)?;
                if seconds > LONGEST_STALE {
                    return Err(format!(
                        "is at most {LONGEST_STALE} seconds, not {}",
                        shown()
                    ));
                }
                request.stale_if_error = Some(Duration::from_secs(seconds));
            }
            Self::Timeout => request.timeout = Some(timeout(text)?),
            Self::RetryMax => {
                let most = FetchRequest::MOST_RETRIES;
                request.retries = text
                    .parse()
                    .ok()
                    .filter(|retries| *retries <= most)
                    .ok_or_else(|| format!("is a number from 0 to {most}, not '{}'", shown()))?;
            }
        }
        Ok(())
    }
}

fn whole_seconds(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        format!("is a whole number of seconds, not '{shown}'")
    })
}

fn timeout(text: &str) -> Result<Duration, String> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let seconds = plain.then(|| text.parse().ok()).flatten();
    let asked = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let longest = FetchRequest::LONGEST_TIMEOUT;
    asked
        .filter(|asked| !asked.is_zero() && *asked <= longest)
        .ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            let longest = longest.as_secs();
            format!(
                "is a number of seconds above 0 and up to {longest}, such as 2.5, not '{shown}'"
            )
        })
}

fn headers(text: &str) -> Result<BTreeMap<String, String>, String> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|error| {
            format!("is not a JSON object such as {{\"Name\": \"value\"}}: {error}")
        })?;
    let text = |value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(object
        .into_iter()
        .map(|(name, value)| (name, text(value)))
        .collect())
}
