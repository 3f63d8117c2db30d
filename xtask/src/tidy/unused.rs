//! Dependencies that nothing names: they cost build time, licences and trust for nothing.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::manifest::Manifest;
use super::reasons;
use super::rust_source::{RustSource, scan};

/// Checks that every dependency of a crate is named somewhere in its code.
pub(crate) fn check(manifest: &Manifest, sources: &[RustSource<'_>]) -> Vec<Finding> {
    let own: Vec<_> = sources
        .iter()
        .filter(|source| source.path.starts_with(manifest.folder()))
        .collect();
    let codes: Vec<String> = own.iter().map(|source| scan(source.text).code).collect();
    let words: BTreeSet<&str> = codes
        .iter()
        .flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .collect();
    let unused = manifest
        .dependencies
        .iter()
        .filter(|dependency| !words.contains(dependency.name.replace('-', "_").as_str()));
    unused
        .map(|dependency| {
            let remedy = format!(
                "`{}` is named in no source file: remove it",
                dependency.name
            );
            Finding::file(&manifest.path, "unused-dependency", remedy)
        })
        .collect()
}

/// Checks that every entry of the workspace is taken by some crate.
pub(crate) fn check_workspace(root_manifest: &str, manifests: &[Manifest]) -> Vec<Finding> {
    let taken: BTreeSet<&str> = manifests
        .iter()
        .flat_map(|manifest| &manifest.dependencies)
        .map(|dependency| dependency.name.as_str())
        .collect();
    reasons::outside_names(root_manifest)
        .filter(|(_, name)| !taken.contains(name))
        .map(|(number, name)| {
            let remedy = format!("no crate takes `{name}`: remove it");
            Finding::line("Cargo.toml", number, "unused-dependency", remedy)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::TextFile;

    fn manifest() -> Manifest {
        let text =
            "[package]\nname = \"corkboard-a\"\n[dependencies]\nhttp-body.workspace = true\n";
        Manifest::parse("crates/a/Cargo.toml", text).expect("valid manifest")
    }

    fn findings(path: &str, text: &str) -> usize {
        let file = TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let sources: Vec<_> = RustSource::new(&file).into_iter().collect();
        check(&manifest(), &sources).len()
    }

    #[test]
    fn a_name_in_code_counts_as_use() {
        assert_eq!(findings("crates/a/src/lib.rs", "use http_body::Body;"), 0);
        assert_eq!(
            findings("crates/a/tests/it/main.rs", "use http_body::Body;"),
            0
        );
    }

    #[test]
    fn a_name_in_a_comment_or_elsewhere_does_not() {
        assert_eq!(
            findings(
                "crates/a/src/lib.rs",
                "// http_body\nuse http_body_util::Full;"
            ),
            1
        );
        assert_eq!(findings("crates/b/src/lib.rs", "use http_body::Body;"), 1);
    }

    #[test]
    fn workspace_entries_must_be_taken() {
        let root = "[workspace.dependencies]\nhttp-body = \"1\" # bodies\nurl = \"2\" # URLs\n";
        let found = check_workspace(root, &[manifest()]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(3));
    }
}
