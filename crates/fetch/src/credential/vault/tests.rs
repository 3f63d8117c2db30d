//! What is sealed opens only where, and with what, it was sealed.

use super::*;

fn entry(id: &str, byte: u8) -> String {
    format!("{id}:{}", STANDARD.encode([byte; KEY_BYTES]))
}

fn vault(entries: &[String]) -> Vault {
    Vault::new(entries).unwrap()
}

fn secret() -> Secret {
    Secret::Basic {
        user: "ada".to_owned(),
        password: "canary-7F".to_owned(),
    }
}

fn hosts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn own_workspace() -> WorkspaceId {
    WorkspaceId::from_bytes([1; 16])
}

#[test]
fn a_secret_opens_where_it_was_sealed_and_nowhere_else() {
    let vault = vault(&[entry("a", 1)]);
    let own = hosts(&["a.example", "b.example"]);
    let sealed = vault
        .seal(own_workspace(), "shop", &own, &secret())
        .unwrap();
    assert_eq!(
        vault.open(own_workspace(), "shop", &own, &sealed),
        Ok(secret())
    );
    let foreign = WorkspaceId::from_bytes([2; 16]);
    let moved = [
        vault.open(foreign, "shop", &own, &sealed),
        vault.open(own_workspace(), "shop2", &own, &sealed),
        vault.open(own_workspace(), "shop", &hosts(&["a.example"]), &sealed),
        vault.open(own_workspace(), "shop", &hosts(&["evil.example"]), &sealed),
        vault.open(
            own_workspace(),
            "shop",
            &hosts(&["a.exampleb.example"]),
            &sealed,
        ),
        vault.open(
            own_workspace(),
            "shopa.example",
            &hosts(&["b.example"]),
            &sealed,
        ),
    ];
    for moved in moved {
        assert_eq!(moved, Err(VaultError::Refused("a".to_owned())));
    }
}

#[test]
fn every_changed_or_missing_byte_is_noticed() {
    let vault = vault(&[entry("a", 1)]);
    let sealed = vault.seal(own_workspace(), "shop", &[], &secret()).unwrap();
    for place in 0..sealed.bytes.len() {
        let mut changed = sealed.clone();
        changed.bytes[place] ^= 1;
        assert!(
            vault.open(own_workspace(), "shop", &[], &changed).is_err(),
            "{place}"
        );
        let mut cut = sealed.clone();
        cut.bytes.truncate(place);
        assert!(
            vault.open(own_workspace(), "shop", &[], &cut).is_err(),
            "{place}"
        );
    }
}

#[test]
fn nothing_of_a_secret_can_be_seen_and_the_same_is_sealed_differently() {
    let vault = vault(&[entry("a", 1)]);
    let one = vault.seal(own_workspace(), "shop", &[], &secret()).unwrap();
    let two = vault.seal(own_workspace(), "shop", &[], &secret()).unwrap();
    assert_ne!(one.bytes, two.bytes);
    let contains =
        |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(!contains(&one.bytes, "canary") && !contains(&one.bytes, "ada"));
    let shown = format!("{:?} {one:?} {vault:?}", secret());
    assert_eq!(shown, "Secret(basic) Sealed(a) [\"a\"]");
}

#[test]
fn older_keys_open_and_the_first_one_seals() {
    let old = vault(&[entry("old", 1)]);
    let sealed = old.seal(own_workspace(), "shop", &[], &secret()).unwrap();
    let both = vault(&[entry("new", 2), entry("old", 1)]);
    assert_eq!(
        both.open(own_workspace(), "shop", &[], &sealed),
        Ok(secret())
    );
    let again = both.seal(own_workspace(), "shop", &[], &secret()).unwrap();
    assert_eq!((again.key.as_str(), both.newest()), ("new", "new"));
    let unknown = VaultError::UnknownKey("new".to_owned());
    assert_eq!(old.open(own_workspace(), "shop", &[], &again), Err(unknown));
    // The same id with another key opens nothing, and says so.
    let other = vault(&[entry("old", 3)]);
    let refused = VaultError::Refused("old".to_owned());
    assert_eq!(
        other.open(own_workspace(), "shop", &[], &sealed),
        Err(refused)
    );
}

#[test]
fn what_is_no_key_is_refused_without_being_repeated() {
    let short = format!("a:{}", STANDARD.encode([7; 31]));
    for (entries, error) in [
        (vec![], KeyError::None),
        (vec!["c2VjcmV0"], KeyError::Form(1)),
        (vec![":c2VjcmV0"], KeyError::Id(1)),
        (vec!["a b:c2VjcmV0"], KeyError::Id(1)),
        (vec!["a:!"], KeyError::Bytes("a".to_owned())),
        (vec![short.as_str()], KeyError::Bytes("a".to_owned())),
    ] {
        let refused = Vault::new(&entries).map(drop).unwrap_err();
        assert_eq!(refused, error, "{entries:?}");
        assert!(!refused.to_string().contains("c2VjcmV0"), "{refused}");
    }
    let twice = Vault::new(&[entry("a", 1), entry("a", 2)]).map(drop);
    assert_eq!(twice, Err(KeyError::Twice("a".to_owned())));
    let made = Vault::generate("demo").unwrap();
    assert_eq!(vault(&[made]).newest(), "demo");
}
