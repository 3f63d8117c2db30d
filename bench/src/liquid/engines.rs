//! The engines of a run: built, installed, started, and found to agree.

use std::path::{Path, PathBuf};

use super::{HAND_TUNED, HAND_WRITTEN, LeftOut, OURS, Process};
use crate::Setting;
use crate::child;
use crate::console::say;
use crate::failure::{Failure, Result, While as _};

/// The process of everything in Rust.
pub(super) const RUST: usize = 0;
const LIQUIDJS: &str = "10.30.1";
const PYTHON_LIQUID: &str = "2.3.6";

/// One engine and the process that it runs in.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) name: &'static str,
    pub(super) version: String,
    pub(super) is_liquid: bool,
    pub(super) process: usize,
}

#[derive(Debug)]
pub(super) struct Engines {
    /// Where the programs in Rust were built to.
    built: PathBuf,
    pub(super) processes: Vec<Process>,
    pub(super) all: Vec<Engine>,
    pub(super) left_out: Vec<LeftOut>,
}

impl Engines {
    /// What cannot be installed, because there is no network say, is left out.
    pub(super) async fn start(setting: &Setting, folder: &Path) -> Result<Self> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines");
        let work = setting.work.join("engines");
        let built = build(&sources, &work.join("target")).await?;
        let lock = sources.join("Cargo.lock");
        let lock = std::fs::read_to_string(&lock).at(&lock)?;
        let version = |name: &str| locked(&lock, name).unwrap_or_default();
        let rust = |name, version, is_liquid| Engine {
            name,
            version,
            is_liquid,
            process: RUST,
        };
        let mut engines = Self {
            processes: vec![Process::start(
                child::command(&built.join("corkboard-engines"), None),
                folder,
            )?],
            built,
            all: vec![
                rust(HAND_WRITTEN, String::new(), false),
                rust(HAND_TUNED, String::new(), false),
                rust(OURS, setting.commit.clone(), true),
                rust("minijinja", version("minijinja"), false),
                rust("liquid", version("liquid"), true),
            ],
            left_out: Vec::new(),
        };
        let js = liquidjs(&sources, &work.join("npm"), folder).await;
        engines.add("liquidjs", LIQUIDJS, js);
        let python = python_liquid(&sources, &work.join("python"), folder).await;
        engines.add("python-liquid", PYTHON_LIQUID, python);
        Ok(engines)
    }

    fn add(&mut self, name: &'static str, version: &str, process: Result<Process>) {
        match process {
            Ok(process) => {
                self.all.push(Engine {
                    name,
                    version: version.to_owned(),
                    is_liquid: true,
                    process: self.processes.len(),
                });
                self.processes.push(process);
            }
            Err(failure) => {
                let why = failure.story();
                say(&format!("liquid: {name} is left out: {why}"));
                let name = name.to_owned();
                self.left_out.push(LeftOut { name, why });
            }
        }
    }

    /// Another process of the engines in Rust, with nothing in its memory yet.
    pub(super) fn fresh(&self, folder: &Path) -> Result<Process> {
        Process::start(
            child::command(&self.built.join("corkboard-engines"), None),
            folder,
        )
    }

    /// One that counts allocations.
    pub(super) fn counting(&self, folder: &Path) -> Result<Process> {
        Process::start(
            child::command(&self.built.join("allocations"), None),
            folder,
        )
    }

    pub(super) fn place_of(&self, name: &str) -> Result<usize> {
        let place = self.all.iter().position(|engine| engine.name == name);
        place.ok_or_else(|| Failure::unexpected(format!("there is no '{name}'")))
    }

    /// Fails unless every engine puts out the same for every user. Gives the mean length in bytes.
    #[expect(clippy::cast_precision_loss, reason = "a thousand short texts")]
    pub(super) async fn agree(&mut self, users: usize) -> Result<f64> {
        let mut expected: Option<Vec<String>> = None;
        for engine in &self.all {
            let answer = self.processes[engine.process]
                .ask(&format!("outputs {}", engine.name))
                .await?;
            let outputs: Vec<String> =
                serde_json::from_str(&answer).map_err(Failure::unexpected)?;
            if outputs.len() != users {
                return Err(Failure::unexpected(format!(
                    "{} left users out",
                    engine.name
                )));
            }
            let first = expected.get_or_insert_with(|| outputs.clone());
            if let Some((ours, theirs)) = first.iter().zip(&outputs).find(|(a, b)| a != b) {
                return Err(Failure::unexpected(format!(
                    "{} puts out something else than {HAND_WRITTEN}:\n{theirs}\ninstead of\n{ours}",
                    engine.name
                )));
            }
        }
        let bytes: usize = expected.iter().flatten().map(String::len).sum();
        Ok(bytes as f64 / users as f64)
    }
}

async fn build(sources: &Path, target: &Path) -> Result<PathBuf> {
    let mut command = child::command(Path::new("cargo"), None);
    command.args(["build", "--release", "--quiet", "--manifest-path"]);
    command.arg(sources.join("Cargo.toml"));
    command.arg("--target-dir").arg(target);
    child::output(command).await?;
    Ok(target.join("release"))
}

async fn liquidjs(sources: &Path, work: &Path, folder: &Path) -> Result<Process> {
    std::fs::create_dir_all(work).at(work)?;
    let mut install = child::command(Path::new("npm"), None);
    install.args([
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-save",
        "--prefix",
    ]);
    install.arg(work).arg(format!("liquidjs@{LIQUIDJS}"));
    child::output(install).await?;
    // Beside its library, which is where node looks for it.
    let program = work.join("liquidjs.mjs");
    std::fs::copy(sources.join("peers/liquidjs.mjs"), &program).at(&program)?;
    let mut node = child::command(Path::new("node"), None);
    node.arg(program);
    Process::start(node, folder)
}

async fn python_liquid(sources: &Path, work: &Path, folder: &Path) -> Result<Process> {
    let mut environment = child::command(Path::new("python3"), None);
    environment.args(["-m", "venv"]).arg(work);
    child::output(environment).await?;
    let python = work.join("bin/python");
    let mut install = child::command(&python, None);
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    install.arg(format!("python-liquid=={PYTHON_LIQUID}"));
    child::output(install).await?;
    let mut program = child::command(&python, None);
    program.arg(sources.join("peers/python_liquid.py"));
    Process::start(program, folder)
}

/// The version of a package in a lock file.
fn locked(lock: &str, name: &str) -> Option<String> {
    let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    let (version, _) = rest.split_once('"')?;
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_by_the_whole_name() {
        let lock = "[[package]]\nname = \"liquid-core\"\nversion = \"1.0.0\"\n\n\
                    [[package]]\nname = \"liquid\"\nversion = \"0.26.11\"\n";
        assert_eq!(locked(lock, "liquid").as_deref(), Some("0.26.11"));
        assert_eq!(locked(lock, "pest"), None);
    }
}
