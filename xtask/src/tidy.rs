//! The checks that keep the workspace in shape: one file per kind of rule, each pure over texts.
//!
//! A check takes what was read from disk and returns findings; only this file reads and prints.
//! A finding names the file, the rule and the remedy, because nobody should have to read a checker.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

mod arrows;
mod confined;
mod finding;
mod layout;
mod links;
mod manifest;
mod reasons;
mod rust_source;
mod tree;
mod unused;
mod words;

use finding::Finding;
use manifest::Manifest;
use rust_source::RustSource;
use tree::Tree;

/// Runs all checks under `root` and reports to `out`. Fails when there is a finding.
pub(crate) fn run(root: &Path, out: &mut impl Write) -> io::Result<ExitCode> {
    let tree = Tree::read(root)?;
    let sources: Vec<RustSource<'_>> = tree.files().filter_map(RustSource::new).collect();
    let (manifests, mut findings) = read_manifests(&tree);

    for source in &sources {
        findings.extend(layout::check(source));
        findings.extend(confined::check(source));
    }
    for file in tree.files() {
        findings.extend(words::check(file));
        findings.extend(links::check(file, |path| tree.has(path)));
    }
    for manifest in &manifests {
        findings.extend(manifest.check());
        findings.extend(arrows::check(manifest));
        findings.extend(unused::check(manifest, &sources));
    }
    if let Some(root_manifest) = tree.text("Cargo.toml") {
        findings.extend(reasons::check(root_manifest));
        findings.extend(unused::check_workspace(root_manifest, &manifests));
    }

    findings.sort();
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    writeln!(out, "{}", layout::summary(&sources))?;
    if findings.is_empty() {
        writeln!(
            out,
            "tidy: nothing to say about {} manifests",
            manifests.len()
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "tidy: {} findings", findings.len())?;
    Ok(ExitCode::FAILURE)
}

fn read_manifests(tree: &Tree) -> (Vec<Manifest>, Vec<Finding>) {
    let mut manifests = Vec::new();
    let mut findings = Vec::new();
    for file in tree
        .files()
        .filter(|file| file.path.ends_with("/Cargo.toml"))
        // A crate outside of the workspace, such as the fuzz targets, can inherit nothing of it.
        .filter(|file| !file.text.lines().any(|line| line == "[workspace]"))
    {
        match Manifest::parse(&file.path, &file.text) {
            Ok(manifest) => manifests.push(manifest),
            Err(finding) => findings.push(finding),
        }
    }
    (manifests, findings)
}
