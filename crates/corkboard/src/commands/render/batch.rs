//! Many templates: a JSON object a line in, a JSON object a line out, in the same order.
//!
//! One line is in memory at a time, whatever the length of the stream. A line that is no valid input
//! is answered with an error of its own and the next one is read. Output is flushed whenever there
//! is nothing more to read at once, so that a program may write a line and wait for its answer.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, BufWriter, Read as _, Write};

use corkboard_config::Config;
use corkboard_fetch::FetchClient;
use corkboard_template::{
    Data, Partials, RenderError, RenderOptions, Scope, Template, TemplateError, render_text,
};
use serde::{Deserialize, Serialize};

use crate::exit::{Failure, Outcome};

/// Longest line that is read; of a longer one the rest is skipped.
const MAX_LINE: usize = 16 << 20;

#[derive(Deserialize)]
struct Input {
    template: String,
    /// Variables.
    #[serde(default)]
    data: Option<Data>,
    /// By name: for `render` and `include`, and as content blocks.
    #[serde(default)]
    templates: BTreeMap<String, String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Output {
    Output(String),
    Error(Problem),
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Problem {
    /// A code of the engine, `aborted` or `bad_input`.
    code: &'static str,
    message: String,
    /// Line of the template, or of the partial that the message names, counted from 1; 0 when it is
    /// none of theirs.
    line: u32,
}

impl Problem {
    fn outside(code: &'static str, message: impl Into<String>) -> Output {
        Output::Error(Self {
            code,
            message: message.into(),
            line: 0,
        })
    }
}

/// Answers every line of stdin on stdout.
pub(super) async fn render(config: &Config, fetcher: &FetchClient) -> Outcome {
    let options = super::options(config);
    // Not the locked handle, which must not be held while waiting for a fetch.
    let mut input = BufReader::with_capacity(64 << 10, io::stdin());
    let mut output = BufWriter::new(io::stdout());
    let mut line = Vec::new();
    while let Some(fits) = next_line(&mut input, &mut line)? {
        let answer = match fits {
            _ if line.iter().all(u8::is_ascii_whitespace) && fits => continue,
            true => answer(&line, &options, fetcher).await,
            false => Problem::outside(
                "bad_input",
                format!("a line is longer than {MAX_LINE} bytes"),
            ),
        };
        serde_json::to_writer(&mut output, &answer).map_err(io::Error::from)?;
        output.write_all(b"\n")?;
        if input.buffer().is_empty() {
            output.flush()?;
        }
    }
    Ok(output.flush()?)
}

/// Reads a line without its end. `None` at the end of the input, `false` when it was too long.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> Outcome<Option<bool>> {
    let failed = |error: io::Error| Failure::Unavailable(format!("stdin cannot be read: {error}"));
    line.clear();
    let most = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    let read = input
        .by_ref()
        .take(most)
        .read_until(b'\n', line)
        .map_err(failed)?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Some(true));
    }
    if read < MAX_LINE {
        return Ok(Some(true));
    }
    input.skip_until(b'\n').map_err(failed)?;
    Ok(Some(false))
}

async fn answer(line: &[u8], options: &RenderOptions, fetcher: &FetchClient) -> Output {
    // serde would take a list of the fields in order for an object.
    if line.trim_ascii_start().first() != Some(&b'{') {
        return Problem::outside("bad_input", "a line must be a JSON object with a template");
    }
    let input: Input = match serde_json::from_slice(line) {
        Ok(input) => input,
        Err(error) => return Problem::outside("bad_input", error.to_string()),
    };
    let failed = |error: TemplateError| {
        Output::Error(Problem {
            code: error.code,
            message: error.message,
            line: error.line,
        })
    };
    let partials = Partials {
        content_blocks: input.templates.clone(),
        templates: input.templates,
    };
    let template = match Template::compile_with(&input.template, &partials, &options.limits) {
        Ok(template) => template,
        Err(error) => return failed(error),
    };
    let scope = Scope::new().with_globals(input.data.unwrap_or_default());
    match render_text(&template, scope, options, fetcher).await {
        Ok((output, _)) => Output::Output(output),
        Err(RenderError::Aborted { reason, .. }) => Problem::outside(
            "aborted",
            reason.unwrap_or_else(|| "the template aborted".to_owned()),
        ),
        Err(RenderError::Template { error, .. }) => failed(error),
        Err(given_up @ (RenderError::GaveUp { .. } | RenderError::Waits { .. })) => {
            Problem::outside("fetch_failed", given_up.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_the_next_one_read() {
        let mut text = vec![b'x'; MAX_LINE + 5];
        text.extend_from_slice(b"\nshort\nlast");
        let mut input = BufReader::new(text.as_slice());
        let mut line = Vec::new();
        assert_eq!(next_line(&mut input, &mut line).unwrap(), Some(false));
        assert_eq!(next_line(&mut input, &mut line).unwrap(), Some(true));
        assert_eq!(line, b"short");
        assert_eq!(next_line(&mut input, &mut line).unwrap(), Some(true));
        assert_eq!(line, b"last");
        assert_eq!(next_line(&mut input, &mut line).unwrap(), None);
    }
}
