//! What makes a remembered token forgotten.

use corkboard_core::id::Id as _;
use corkboard_core::tenancy::{App, TokenAlgorithm, TokenKey};
use corkboard_core::time::Timestamp;
use corkboard_store::sqlite::{SqliteControlStore, SqliteOptions};
use corkboard_testkit::HeldClock;
use tokio::time::Instant;

use super::*;
use crate::auth::sign_hs256;

struct World {
    verifier: TokenVerifier,
    clock: HeldClock,
    app: App,
    _folder: tempfile::TempDir,
}

fn key(letter: u8) -> TokenKey {
    TokenKey {
        algorithm: TokenAlgorithm::Hs256,
        material: vec![letter; 32],
    }
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteControlStore::open(folder.path(), &SqliteOptions::default()).unwrap();
    let clock = HeldClock::at(Timestamp::from_seconds(1_000_000));
    let shared: SharedClock = Arc::new(clock.clone());
    let verifier = TokenVerifier::new(Arc::new(store), shared, Duration::ZERO, 1 << 20);
    let app = App {
        id: AppId::from_bytes([1; 16]),
        workspace: WorkspaceId::from_bytes([2; 16]),
        name: "shop".to_owned(),
        keys: vec![key(b'a'), key(b'b')],
        created_at: Timestamp::EPOCH,
    };
    World {
        verifier,
        clock,
        app,
        _folder: folder,
    }
}

impl World {
    fn token(&self, letter: u8) -> String {
        let user = UserId::parse("ada").unwrap();
        let expires = Timestamp::from_seconds(1_000_060);
        sign_hs256(&[letter; 32], self.app.id, &user, expires).unwrap()
    }

    /// As `verify` does it, with this app read from the store.
    fn verify(&self, token: &str, app: &Arc<KnownApp>) -> Result<VerifiedUser, TokenError> {
        let (verifier, print) = (&self.verifier, fingerprint(token));
        if let Some(vouched) = verifier.remembered.get(&print, Instant::now())
            && let Some(answer) = verifier.recall(&print, &vouched, Some(app))
        {
            return answer;
        }
        verifier.check_all(token, &print, Algorithm::HS256, self.app.id, app)
    }

    fn remembers(&self, token: &str) -> bool {
        self.verifier
            .remembered
            .get(&fingerprint(token), Instant::now())
            .is_some()
    }
}

#[test]
fn a_token_seen_again_is_not_checked_again() {
    let (world, token) = (world(), world().token(b'a'));
    let app = Arc::new(KnownApp::from(&world.app));
    let first = world.verify(&token, &app).unwrap();
    assert!(world.remembers(&token));
    let Vouched(checked) = world
        .verifier
        .remembered
        .get(&fingerprint(&token), Instant::now())
        .unwrap();
    assert_eq!(checked.user, first);
    let again = world.verify(&token, &checked.app).unwrap();
    assert_eq!(again, first);
}

#[test]
fn a_rotated_key_drops_the_tokens_that_it_vouched_for() {
    let mut world = world();
    let (old, kept) = (world.token(b'a'), world.token(b'b'));
    let before = Arc::new(KnownApp::from(&world.app));
    for token in [&old, &kept] {
        world.verify(token, &before).unwrap();
    }
    let same = KnownApp::renewed(Some(Arc::clone(&before)), &world.app);
    assert!(
        Arc::ptr_eq(&same, &before),
        "an app read again is the same while nothing changes"
    );
    world.app.keys = vec![key(b'b'), key(b'c')];
    let after = KnownApp::renewed(Some(before), &world.app);
    let refused = world.verify(&old, &after).unwrap_err();
    assert!(matches!(refused, TokenError::Invalid(_)), "{refused}");
    assert!(!world.remembers(&old));
    world.verify(&kept, &after).unwrap();
    assert!(world.remembers(&world.token(b'b')));
}

#[test]
fn a_changed_character_is_another_token() {
    let world = world();
    let (token, app) = (world.token(b'a'), Arc::new(KnownApp::from(&world.app)));
    world.verify(&token, &app).unwrap();
    for place in 0..token.len() - 1 {
        let mut bytes = token.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let tampered = String::from_utf8(bytes).unwrap();
        assert!(!world.remembers(&tampered));
        assert!(world.verify(&tampered, &app).is_err(), "{place}");
    }
}

#[test]
fn a_remembered_token_expires_all_the_same() {
    let world = world();
    let (token, app) = (world.token(b'a'), Arc::new(KnownApp::from(&world.app)));
    world.verify(&token, &app).unwrap();
    world.clock.advance(Duration::from_secs(60));
    let refused = world.verify(&token, &app).unwrap_err();
    assert!(matches!(refused, TokenError::Expired), "{refused}");
}
