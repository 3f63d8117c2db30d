//! "Did you mean …": known names that look like a mistyped one.

/// `; did you mean 'a' or 'b'?`, or nothing when nothing is near.
pub(crate) fn near(name: &str, known: impl Iterator<Item = &'static str>) -> String {
    near_to(name, known)
}

/// Like [`near`], for names that come with the template.
pub(crate) fn near_to<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let name: String = name.chars().take(40).collect();
    let mut found: Vec<(usize, &str)> = known
        .map(|candidate| (distance(&name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 4))
        .collect();
    found.sort_unstable();
    let names: Vec<String> = found
        .iter()
        .take(3)
        .map(|(_, name)| format!("'{name}'"))
        .collect();
    if names.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", names.join(" or "))
    }
}

/// Edits between two names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn names_a_slip_of_the_finger_away_are_offered() {
        let known = ["upcase", "downcase", "date"];
        assert_eq!(near("upcas", known.into_iter()), "; did you mean 'upcase'?");
        assert_eq!(near("frobnicate_it", known.into_iter()), "");
    }
}
