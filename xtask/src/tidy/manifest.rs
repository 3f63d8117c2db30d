//! A crate's manifest: lints and dependency versions come from the workspace, nowhere else.

use toml::{Table, Value};

use super::finding::Finding;

/// What the checks need to know of one crate's `Cargo.toml`.
#[derive(Debug)]
pub(crate) struct Manifest {
    /// Relative to the workspace root.
    pub(crate) path: String,
    /// The package's name.
    pub(crate) package: String,
    pub(crate) dependencies: Vec<Dependency>,
    inherits_lints: bool,
}

/// One line of a dependency table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Only tests use it.
    pub(crate) is_dev: bool,
    /// Version and source come from `[workspace.dependencies]`.
    inherited: bool,
}

impl Manifest {
    /// Reads a manifest's text.
    pub(crate) fn parse(path: &str, text: &str) -> Result<Self, Finding> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            Finding::file(
                path,
                "manifest",
                format!("make it valid TOML: {}", error.message()),
            )
        })?;
        let package = table.get("package").and_then(|package| package.get("name"));
        let package = package.and_then(Value::as_str).ok_or_else(|| {
            Finding::file(
                path,
                "manifest",
                "give the package a name: only the root is virtual",
            )
        })?;
        let mut dependencies = Vec::new();
        collect(&table, &mut dependencies);
        for target in table
            .get("target")
            .and_then(Value::as_table)
            .into_iter()
            .flatten()
        {
            collect(
                target.1.as_table().unwrap_or(&Table::new()),
                &mut dependencies,
            );
        }
        Ok(Self {
            path: path.to_owned(),
            package: package.to_owned(),
            dependencies,
            inherits_lints: table.get("lints").is_some_and(from_workspace),
        })
    }

    /// The folder with the crate's sources, relative to the workspace root.
    pub(crate) fn folder(&self) -> &str {
        self.path.trim_end_matches("Cargo.toml")
    }

    /// Checks that everything shared is taken from the workspace.
    pub(crate) fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if !self.inherits_lints {
            let remedy = "add `[lints]` with `workspace = true`";
            findings.push(Finding::file(&self.path, "workspace-lints", remedy));
        }
        for Dependency { name, .. } in self.dependencies.iter().filter(|one| !one.inherited) {
            let remedy = format!(
                "declare `{name}` with its reason in the root's `[workspace.dependencies]` and \
                 write `{name}.workspace = true`"
            );
            findings.push(Finding::file(&self.path, "workspace-dependency", remedy));
        }
        findings
    }
}

fn collect(table: &Table, dependencies: &mut Vec<Dependency>) {
    for (section, is_dev) in [
        ("dependencies", false),
        ("build-dependencies", false),
        ("dev-dependencies", true),
    ] {
        for (name, value) in table
            .get(section)
            .and_then(Value::as_table)
            .into_iter()
            .flatten()
        {
            let inherited = from_workspace(value);
            dependencies.push(Dependency {
                name: name.clone(),
                is_dev,
                inherited,
            });
        }
    }
}

fn from_workspace(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"corkboard-a\"\n[lints]\nworkspace = true\n\
                        [dependencies]\nserde.workspace = true\n";

    fn rules(text: &str) -> Vec<&'static str> {
        let manifest = Manifest::parse("crates/a/Cargo.toml", text).expect("valid manifest");
        manifest
            .check()
            .into_iter()
            .map(|finding| finding.rule)
            .collect()
    }

    #[test]
    fn a_manifest_that_takes_all_from_the_workspace_is_fine() {
        assert!(rules(GOOD).is_empty());
    }

    #[test]
    fn own_lints_are_refused() {
        assert_eq!(
            rules(&GOOD.replace("workspace = true\n[", "rust = {}\n[")),
            ["workspace-lints"]
        );
    }

    #[test]
    fn own_versions_are_refused_in_every_section() {
        for section in [
            "dependencies",
            "dev-dependencies",
            "target.'cfg(unix)'.dependencies",
        ] {
            let text = format!(
                "[package]\nname = \"a\"\n[lints]\nworkspace = true\n[{section}]\nserde = \"1\"\n"
            );
            assert_eq!(rules(&text), ["workspace-dependency"], "{section}");
        }
    }

    #[test]
    fn text_that_is_no_manifest_is_a_finding() {
        for text in ["[package", "[dependencies]\n"] {
            assert!(
                Manifest::parse("crates/a/Cargo.toml", text).is_err(),
                "{text}"
            );
        }
    }
}
