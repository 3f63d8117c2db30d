//! Which room may depend on which. A new arrow is a design decision: it is made here, in a diff.

use super::finding::Finding;
use super::manifest::Manifest;

/// Package name without this is the room.
const PREFIX: &str = "corkboard-";
/// The binary, which composes all rooms and therefore may know them all.
const BINARY: &str = "corkboard";
/// Tests' own tools; nothing that ships may depend on them.
const TEST_ROOM: &str = "testkit";
/// Measures the built binary from outside, and the card store by itself; like the tests it may use
/// their tools.
const BENCH: &str = "bench";

/// Room and what it may depend on, bottom up. ARCHITECTURE.md shows the same as a map.
const ARROWS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("config", &["core"]),
    ("template", &["core"]),
    ("fetch", &["core"]),
    ("cache", &["core"]),
    ("postgres", &[]),
    ("store", &["core", "postgres"]),
    ("edge", &["core"]),
    ("send", &["core", "store", "template", "fetch"]),
    ("feed", &["core", "store", "template", "fetch", "cache"]),
    // Template and fetch are for validation and preview only, cache for remembered tokens.
    (
        "api",
        &[
            "core", "store", "template", "fetch", "send", "feed", "edge", "cache",
        ],
    ),
    ("origin", &["core", "cache", "edge", "postgres"]),
    (TEST_ROOM, &["core"]),
    (BENCH, &["core", "store", TEST_ROOM]),
];

/// Checks the arrows that leave one crate.
pub(crate) fn check(manifest: &Manifest) -> Vec<Finding> {
    let report = |remedy: String| Finding::file(&manifest.path, "arrows", remedy);
    let Some(room) = manifest.package.strip_prefix(PREFIX) else {
        return check_tool(manifest).into_iter().map(report).collect();
    };
    let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == room) else {
        let remedy = format!("`{room}` is a new room: enter it in xtask/src/tidy/arrows.rs");
        return vec![report(remedy)];
    };
    let mut findings = Vec::new();
    for dependency in &manifest.dependencies {
        if dependency.name == BINARY {
            findings.push(report(format!(
                "`{room}` may not depend on the binary that composes it"
            )));
        }
        let Some(other) = dependency.name.strip_prefix(PREFIX) else {
            continue;
        };
        // Tests may build what they need from any room; cargo itself refuses cycles that matter.
        if dependency.is_dev || allowed.contains(&other) {
            continue;
        }
        let remedy = if other == TEST_ROOM {
            format!("`{other}` is for tests: move it to [dev-dependencies]")
        } else {
            format!("`{room}` may not depend on `{other}`: move the code, or meet in core")
        };
        findings.push(report(remedy));
    }
    findings
}

/// The binary may depend on every room but the tests' own; developer tools on none.
fn check_tool(manifest: &Manifest) -> Vec<String> {
    let is_binary = manifest.package == BINARY;
    let own = manifest.dependencies.iter().filter(|one| !one.is_dev);
    own.filter_map(|dependency| dependency.name.strip_prefix(PREFIX))
        .filter(|room| *room == TEST_ROOM || !is_binary)
        .map(|room| format!("`{}` may not depend on `{room}`", manifest.package))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remedies(package: &str, section: &str, dependency: &str) -> Vec<String> {
        let text = format!(
            "[package]\nname = \"{package}\"\n[{section}]\n{dependency}.workspace = true\n"
        );
        let manifest = Manifest::parse("crates/x/Cargo.toml", &text).expect("valid manifest");
        check(&manifest)
            .into_iter()
            .map(|finding| finding.remedy)
            .collect()
    }

    #[test]
    fn arrows_of_the_table_are_free() {
        assert!(remedies("corkboard-send", "dependencies", "corkboard-store").is_empty());
        assert!(remedies("corkboard", "dependencies", "corkboard-api").is_empty());
        assert!(remedies("corkboard-core", "dependencies", "serde").is_empty());
    }

    #[test]
    fn arrows_that_point_up_or_sideways_are_refused() {
        for (package, other) in [
            ("corkboard-core", "corkboard-store"),
            ("corkboard-feed", "corkboard-send"),
        ] {
            let found = remedies(package, "dependencies", other);
            assert!(found[0].contains("may not depend"), "{found:?}");
        }
        assert_eq!(
            remedies("corkboard-api", "dependencies", "corkboard").len(),
            1
        );
        assert_eq!(remedies("xtask", "dependencies", "corkboard-core").len(), 1);
    }

    #[test]
    fn the_test_room_is_for_tests_only() {
        for package in ["corkboard-api", "corkboard"] {
            assert_eq!(
                remedies(package, "dependencies", "corkboard-testkit").len(),
                1
            );
            assert!(remedies(package, "dev-dependencies", "corkboard-testkit").is_empty());
        }
    }

    #[test]
    fn the_bench_sees_the_product_from_outside_but_for_its_store() {
        let arrow = |other| remedies("corkboard-bench", "dependencies", other).len();
        for allowed in ["corkboard-testkit", "corkboard-core", "corkboard-store"] {
            assert_eq!(arrow(allowed), 0, "{allowed}");
        }
        assert_eq!((arrow("corkboard-send"), arrow("corkboard")), (1, 1));
    }

    #[test]
    fn a_room_must_be_entered_before_it_is_built() {
        let found = remedies("corkboard-attic", "dependencies", "serde");
        assert!(found[0].contains("new room"), "{found:?}");
    }

    #[test]
    fn the_table_only_points_at_rooms_above_it() {
        for (place, (room, allowed)) in ARROWS.iter().enumerate() {
            for other in *allowed {
                let known = ARROWS[..place].iter().any(|(name, _)| name == other);
                assert!(known, "{room} -> {other}");
            }
        }
    }
}
