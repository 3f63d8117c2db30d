//! User tokens: four algorithms, key rotation, and every way a token can be wrong.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use corkboard_api::auth::check_token_key;
use corkboard_core::id::AppId;
use corkboard_core::tenancy::{App, TokenAlgorithm};
use corkboard_testkit::wait_until;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

use crate::app::{SECRET, TestApp, start_time};

const RSA_PUBLIC: &str = include_str!("keys/rsa.public.pem");
const EC_PUBLIC: &str = include_str!("keys/ec.public.pem");
const ED_PUBLIC: &str = include_str!("keys/ed.public.pem");

fn der(pem: &str) -> Vec<u8> {
    let body: String = pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    STANDARD.decode(body).unwrap()
}

fn sign(algorithm: &str, message: &[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    match algorithm {
        "ES256" => {
            let key = der(include_str!("keys/ec.private.pem"));
            let pair =
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key, &random).unwrap();
            pair.sign(&random, message).unwrap().as_ref().to_vec()
        }
        "EdDSA" => {
            let key = der(include_str!("keys/ed.private.pem"));
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key)
                .unwrap()
                .sign(message)
                .as_ref()
                .to_vec()
        }
        "RS256" => {
            let pair = RsaKeyPair::from_pkcs8(&der(include_str!("keys/rsa.private.pem"))).unwrap();
            let mut signature = vec![0; pair.public().modulus_len()];
            pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                .unwrap();
            signature
        }
        _ => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), message)
            .as_ref()
            .to_vec(),
    }
}

fn token_with(header: &Value, claims: &Value, signature: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(signature(message.as_bytes()));
    format!("{message}.{signature}")
}

fn token(algorithm: &str, claims: &Value) -> String {
    token_with(
        &json!({"alg": algorithm, "typ": "JWT"}),
        claims,
        |message| sign(algorithm, message),
    )
}

fn claims(app: AppId) -> Value {
    json!({"sub": "ada", "aud": app, "exp": start_time().as_seconds() + 3600})
}

/// An app with these public keys.
async fn app_with(node: &TestApp, pems: &[&str]) -> AppId {
    let keys = pems
        .iter()
        .map(|pem| check_token_key(pem.as_bytes()).unwrap())
        .collect();
    let id = AppId::generate(start_time());
    let app = App {
        id,
        workspace: node.workspace,
        name: "keys".to_owned(),
        keys,
        created_at: start_time(),
    };
    node.control.insert_app(&app).await.unwrap();
    id
}

async fn read(node: &TestApp, token: &str) -> (u16, Value) {
    let reply = node
        .anonymous()
        .with_bearer(token)
        .get("/v1/feed")
        .send()
        .await;
    (reply.status, reply.json()["code"].clone())
}

#[test]
fn a_public_key_says_its_own_algorithm_and_private_ones_are_refused() {
    for (pem, algorithm) in [
        (EC_PUBLIC, TokenAlgorithm::Es256),
        (ED_PUBLIC, TokenAlgorithm::EdDsa),
        (RSA_PUBLIC, TokenAlgorithm::Rs256),
    ] {
        assert_eq!(
            check_token_key(pem.as_bytes()).unwrap().algorithm,
            algorithm
        );
    }
    for wrong in [
        include_str!("keys/rsa.private.pem"),
        include_str!("keys/ec.private.pem"),
        // Read without complaint, and then no token would ever fit.
        include_str!("keys/rsa1024.public.pem"),
        include_str!("keys/p384.public.pem"),
        "",
        "not a key",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ] {
        assert!(check_token_key(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_four_algorithms_and_several_keys_of_one_app_are_accepted() {
    let node = TestApp::start().await;
    let rotating = app_with(&node, &[EC_PUBLIC, ED_PUBLIC, RSA_PUBLIC]).await;
    for algorithm in ["ES256", "EdDSA", "RS256"] {
        assert_eq!(
            read(&node, &token(algorithm, &claims(rotating))).await.0,
            200,
            "{algorithm}"
        );
    }
    assert_eq!(read(&node, &token("HS256", &claims(node.app))).await.0, 200);
    let single = json!({"sub": "ada", "aud": [node.app], "exp": (start_time().as_seconds() + 60) as f64 + 0.5});
    assert_eq!(read(&node, &token("HS256", &single)).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_key_that_was_taken_away_is_refused_within_seconds() {
    let node = TestApp::start().await;
    let app = app_with(&node, &[EC_PUBLIC, ED_PUBLIC]).await;
    let [old, kept, new] = ["ES256", "EdDSA", "RS256"].map(|name| token(name, &claims(app)));
    for (token, status) in [(&old, 200), (&kept, 200), (&new, 401)] {
        assert_eq!(read(&node, token).await.0, status);
    }
    let keys = [ED_PUBLIC, RSA_PUBLIC].map(|pem| check_token_key(pem.as_bytes()).unwrap());
    assert!(node.control.replace_app_keys(app, &keys).await.unwrap());
    wait_until(Duration::from_secs(20), "the new keys", || async {
        let seen = (read(&node, &old).await.0, read(&node, &new).await.0);
        (seen == (401, 200))
            .then_some(())
            .ok_or(format!("{seen:?}"))
    })
    .await;
    assert_eq!(read(&node, &kept).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_key_is_no_hmac_secret_and_none_is_no_algorithm() {
    let node = TestApp::start().await;
    let app = app_with(&node, &[RSA_PUBLIC]).await;
    let confused = token_with(&json!({"alg": "HS256"}), &claims(app), |message| {
        hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, RSA_PUBLIC.as_bytes()),
            message,
        )
        .as_ref()
        .to_vec()
    });
    assert_eq!(read(&node, &confused).await, (401, json!("invalid_token")));
    for none in [
        "none", "None", "NONE", "nOnE", "", "HS384", "RS512", "PS256",
    ] {
        let unsigned = token_with(&json!({"alg": none}), &claims(node.app), |_| Vec::new());
        assert_eq!(
            read(&node, &unsigned).await,
            (401, json!("invalid_token")),
            "{none}"
        );
        let signed = token_with(&json!({"alg": none}), &claims(node.app), |message| {
            sign("HS256", message)
        });
        assert_eq!(
            read(&node, &signed).await,
            (401, json!("invalid_token")),
            "{none}"
        );
    }
    for header in [
        json!({"alg": "RS256", "kid": "../../etc/passwd"}),
        json!({"alg": "RS256", "jku": "http://127.0.0.1/"}),
        json!({"alg": "RS256", "jwk": {}}),
    ] {
        let other_key = token_with(&header, &claims(app), |message| sign("ES256", message));
        assert_eq!(
            read(&node, &other_key).await,
            (401, json!("invalid_token")),
            "{header}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_claim_is_checked() {
    let node = TestApp::start().await;
    let now = start_time().as_seconds();
    let (_, stranger, _) = node.second_tenant().await;
    let good = claims(node.app);
    let mut cases = vec![
        (json!({"exp": now - 31}), "expired_token"),
        (json!({"exp": null}), "invalid_token"),
        (json!({"exp": "tomorrow"}), "invalid_token"),
        (json!({"exp": (now + 60).to_string()}), "invalid_token"),
        (json!({"sub": null}), "invalid_token"),
        (json!({"sub": ""}), "invalid_token"),
        (json!({"sub": 5}), "invalid_token"),
        (json!({"sub": "x".repeat(300)}), "invalid_token"),
        (json!({"aud": null}), "invalid_token"),
        (
            json!({"aud": "app_00000000000000000000000000"}),
            "invalid_token",
        ),
        (json!({"aud": [node.app, stranger]}), "invalid_token"),
        (json!({"aud": []}), "invalid_token"),
        (json!({"nbf": now + 31}), "invalid_token"),
        (json!({"nbf": "later"}), "invalid_token"),
    ];
    for (change, code) in cases.drain(..) {
        let mut claims = good.clone();
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        assert_eq!(
            read(&node, &token("HS256", &claims)).await,
            (401, json!(code)),
            "{change}"
        );
    }
    let mut within_leeway = good.clone();
    within_leeway["exp"] = json!(now - 29);
    within_leeway["nbf"] = json!(now + 29);
    assert_eq!(read(&node, &token("HS256", &within_leeway)).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_tokens_are_refused_quickly() {
    let node = TestApp::start().await;
    let good = token("HS256", &claims(node.app));
    let tampered = format!("{}x{}", &good[..40], &good[41..]);
    let huge = format!("{}.{}", good, "A".repeat(20_000));
    let cases = [
        "a",
        "a.b",
        "a.b.c",
        "....",
        "\u{fffd}",
        tampered.as_str(),
        huge.as_str(),
        &good[..good.len() - 2],
        &good[..good.rfind('.').unwrap()],
    ];
    for text in cases {
        if let Ok(value) = http::HeaderValue::from_str(&format!("Bearer {text}")) {
            let reply = node
                .anonymous()
                .get("/v1/feed")
                .header("authorization", value.to_str().unwrap_or("Bearer x"))
                .send()
                .await;
            assert_eq!(reply.status, 401, "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_secret_cannot_be_used_to_sign() {
    let node = TestApp::start().await;
    let user = corkboard_core::user::UserId::parse("ada").unwrap();
    let error =
        corkboard_api::auth::sign_hs256(b"short", node.app, &user, start_time()).unwrap_err();
    assert!(error.to_string().contains("at least 32"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_passes_for_a_token_and_none_panics() {
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::TestRunner;

    let node = TestApp::start().await;
    let clock: corkboard_core::time::SharedClock = node.clock.clone();
    let verifier = corkboard_api::auth::TokenVerifier::new(
        node.control.clone(),
        clock,
        Duration::ZERO,
        1 << 20,
    );
    let good = token("HS256", &claims(node.app));
    let mut runner = TestRunner::deterministic();
    let texts = proptest::prop_oneof![
        "\\PC{0,60}".boxed(),
        "[A-Za-z0-9_-]{0,30}\\.[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,44}".boxed(),
        (0..good.len(), "[A-Za-z0-9_.-]")
            .prop_map({
                let good = good.clone();
                move |(place, letter)| format!("{}{letter}{}", &good[..place], &good[place + 1..])
            })
            .boxed(),
    ];
    for _ in 0..2_000 {
        let text = texts.new_tree(&mut runner).unwrap().current();
        // The last letter of a part has bits that do not count, so a changed one may mean the same.
        let same = text == good
            || URL_SAFE_NO_PAD
                .decode(text.rsplit('.').next().unwrap_or(""))
                .is_ok_and(|signature| {
                    text.rsplit_once('.').map(|(message, _)| message)
                        == good.rsplit_once('.').map(|(message, _)| message)
                        && signature
                            == URL_SAFE_NO_PAD
                                .decode(good.rsplit('.').next().unwrap())
                                .unwrap()
                });
        assert_eq!(verifier.verify(&text).await.is_ok(), same, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_that_must_be_understood_is_refused() {
    let node = TestApp::start().await;
    let header = json!({"alg": "HS256", "crit": ["b64"], "b64": false});
    let token = token_with(&header, &claims(node.app), |message| sign("HS256", message));
    assert_eq!(read(&node, &token).await, (401, json!("invalid_token")));
}
