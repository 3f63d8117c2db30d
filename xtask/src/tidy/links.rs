//! Links between documents must lead somewhere. Only relative ones: the network is not ours to check.

use super::finding::Finding;
use super::tree::TextFile;

/// Checks one Markdown text. `exists` answers for paths relative to the workspace root.
pub(crate) fn check(file: &TextFile, exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    if !file.path.ends_with(".md") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut in_fence = false;
    for (number, line) in (1..).zip(file.text.lines()) {
        in_fence ^= line.trim_start().starts_with("```");
        if in_fence {
            continue;
        }
        for target in targets(line) {
            let resolved = resolve(&file.path, target);
            if !resolved.is_some_and(|path| exists(&path)) {
                let remedy = format!("`{target}` leads nowhere: correct or remove the link");
                findings.push(Finding::line(&file.path, number, "link", remedy));
            }
        }
    }
    findings
}

/// Relative targets of `[text](target)` and `[label]: target` in one line, fragments cut off.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let inline = line
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next());
    let reference = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "));
    inline
        .chain(reference.map(|(_, target)| target.trim()))
        .map(|target| target.split('#').next().unwrap_or(target))
        .filter(|target| !target.is_empty() && !target.contains(':'))
}

/// A target as a path from the root, or `None` when it climbs out of the repository.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str) -> Vec<usize> {
        let file = TextFile {
            path: "docs/adr/a.md".to_owned(),
            text: text.to_owned(),
        };
        let known = ["README.md", "docs/adr/b.md", "docs/adr"];
        let findings = check(&file, |path| path.is_empty() || known.contains(&path));
        findings
            .into_iter()
            .filter_map(|finding| finding.line)
            .collect()
    }

    #[test]
    fn links_resolve_from_the_document_that_holds_them() {
        assert!(broken("[x](b.md) [y](../../README.md#top) [z](./) [root](../..)").is_empty());
        assert_eq!(
            broken("fine\n[x](README.md) [y](c.md)\n[label]: d.md"),
            [2, 2, 3]
        );
    }

    #[test]
    fn links_out_of_the_repository_are_refused() {
        assert_eq!(broken("[x](../../../README.md)"), [1]);
    }

    #[test]
    fn addresses_fragments_and_code_are_left_alone() {
        let text = "[x](https://example.com/a) [y](#below)\n```\n[z](nowhere.md)\n```\n";
        assert!(broken(text).is_empty());
    }
}
