//! Every dependency from outside says in a comment why it is there.

use super::finding::Finding;

const SECTION: &str = "[workspace.dependencies]";
/// Beginning of a group's heading, which is no reason for any one entry.
const HEADING: &str = "# ---";

/// Checks the root manifest, line by line: comments are what TOML readers throw away.
pub(crate) fn check(root_manifest: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line, above) in entries(root_manifest) {
        let own_room = line.contains("path = ");
        let reason_above = above.starts_with('#') && !above.starts_with(HEADING);
        if !own_room && !line.contains(" # ") && !reason_above {
            let name = name_of(line);
            let remedy = format!("say why `{name}` is needed, on its line or the line above");
            findings.push(Finding::line(
                "Cargo.toml",
                number,
                "dependency-reason",
                remedy,
            ));
        }
    }
    findings
}

/// Names of the entries, own rooms left out.
pub(crate) fn outside_names(root_manifest: &str) -> impl Iterator<Item = (usize, &str)> {
    entries(root_manifest)
        .filter(|(_, line, _)| !line.contains("path = "))
        .map(|(number, line, _)| (number, name_of(line)))
}

/// First lines of the entries with their numbers and the lines above them.
fn entries(root_manifest: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    let lines = (1..).zip(root_manifest.lines());
    let above = std::iter::once("").chain(root_manifest.lines());
    lines
        .zip(above)
        .map(|((number, line), above)| (number, line, above))
        .skip_while(|(_, line, _)| *line != SECTION)
        .skip(1)
        .take_while(|(_, line, _)| !line.starts_with('['))
        .filter(|(_, line, _)| line.starts_with(|c: char| c.is_alphanumeric()))
}

fn name_of(line: &str) -> &str {
    line.split(['=', '.', ' ']).next().unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(entries: &str) -> Vec<usize> {
        let text =
            format!("[workspace]\nresolver = \"3\"\n{SECTION}\n{entries}\n[profile.dev]\nx = 1\n");
        check(&text)
            .into_iter()
            .filter_map(|finding| finding.line)
            .collect()
    }

    #[test]
    fn a_reason_may_stand_on_the_line_or_above() {
        assert!(found("serde = \"1\" # JSON\n# one parser\nurl = \"2\"").is_empty());
        assert!(found("corkboard-core = { path = \"crates/core\" }").is_empty());
    }

    #[test]
    fn a_heading_or_silence_is_no_reason() {
        assert_eq!(found("# --- runtime\nhttp = \"1\""), [5]);
        assert_eq!(found("serde = \"1\" # JSON\nurl = \"2\""), [5]);
    }
}
