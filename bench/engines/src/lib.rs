//! The engines in this process, behind one face: a line in says what to do, a line out has the number.
//!
//! The bench talks to every process of engines in the same way, whatever language it is written in:
//! `outputs ENGINE`, `time ENGINE WORK MILLISECONDS`, `allocations ENGINE WORK`, `waiting COUNT`.
//! One answer is one line: JSON for outputs, else a number; `-` for work that the engine does not
//! have; `error: …` otherwise.

mod clock;
mod corkboard;
mod engine;
mod handwritten;
mod inputs;
mod jinja;
mod liquid_crate;
mod waiting;

use std::error::Error;
use std::io::{self, BufRead as _, Write as _};
use std::path::Path;

use engine::{Engine, Work};
use inputs::Inputs;

/// Allocations that the process has made up to now.
pub type Allocations = fn() -> usize;

/// Answers lines until there are no more. The first argument is the folder of the inputs.
///
/// # Errors
/// When the inputs cannot be read or nobody listens any more.
pub fn serve(allocations: Option<Allocations>) -> Result<(), Box<dyn Error>> {
    let folder = std::env::args()
        .nth(1)
        .ok_or("the folder of the inputs is missing")?;
    let inputs = Inputs::read(Path::new(&folder))?;
    let mut engines: Vec<Box<dyn Engine + '_>> = vec![
        Box::new(handwritten::HandWritten::new(&inputs, false)?),
        Box::new(handwritten::HandWritten::new(&inputs, true)?),
        Box::new(corkboard::Corkboard::new(&inputs)?),
        Box::new(jinja::MiniJinja::new(&inputs)?),
        Box::new(liquid_crate::LiquidCrate::new(&inputs)?),
    ];
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words.as_slice() {
            ["waiting", count] => count
                .parse()
                .map_err(Into::into)
                .and_then(|count| waiting::held(&inputs, count))
                .map(|bytes| bytes.to_string()),
            ["fetch", millis] => {
                corkboard::suspension(&inputs, millis.parse()?).map(|ns| ns.to_string())
            }
            [what, name, rest @ ..] => {
                match engines.iter_mut().find(|engine| engine.name() == *name) {
                    Some(engine) => about(engine.as_mut(), &inputs, allocations, what, rest),
                    None => Err(format!("there is no engine '{name}'").into()),
                }
            }
            _ => Err(format!("'{line}' is not understood").into()),
        };
        match answer {
            Ok(text) => writeln!(out, "{text}")?,
            Err(error) => writeln!(out, "error: {error}")?,
        }
        out.flush()?;
    }
    Ok(())
}

fn about(
    engine: &mut dyn Engine,
    inputs: &Inputs,
    allocations: Option<Allocations>,
    what: &str,
    rest: &[&str],
) -> Result<String, Box<dyn Error>> {
    let users = inputs.users.len();
    let work = |name: &str| Work::named(name).ok_or_else(|| format!("there is no work '{name}'"));
    match (what, rest) {
        ("outputs", []) => {
            let outputs: Result<Vec<String>, _> =
                (0..users).map(|user| engine.output(user)).collect();
            Ok(serde_json::to_string(&outputs?)?)
        }
        ("time", [name, millis]) => {
            let work = work(name)?;
            if !engine.does(work) {
                return Ok("-".to_owned());
            }
            let each = clock::nanos_each(millis.parse()?, users, |user| engine.work(work, user))?;
            Ok(format!("{each:.1}"))
        }
        ("allocations", [name]) => {
            let (Some(count), work) = (allocations, work(name)?) else {
                return Ok("-".to_owned());
            };
            if !engine.does(work) {
                return Ok("-".to_owned());
            }
            // Buffers that are kept have their size after the first round.
            (0..users).try_for_each(|user| engine.work(work, user))?;
            let before = count();
            (0..users).try_for_each(|user| engine.work(work, user))?;
            let made = (count() - before) as f64;
            Ok(format!("{:.2}", made / users as f64))
        }
        _ => Err(format!("'{what}' is not understood").into()),
    }
}
