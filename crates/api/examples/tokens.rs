//! What it costs to check the tokens of 100,000 users, first seen and seen again, and what memory that
//! takes: `cargo run --release -p corkboard-api --example tokens`.

#![expect(clippy::print_stdout, reason = "an example says what it has measured")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use corkboard_api::auth::{TokenVerifier, check_token_key};
use corkboard_core::id::{AppId, WorkspaceId};
use corkboard_core::tenancy::{App, Workspace};
use corkboard_core::time::{Clock as _, SystemClock};
use corkboard_store::ControlStore as _;
use corkboard_store::sqlite::{SqliteControlStore, SqliteOptions};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};
use tokio::time::Instant;

const TOKENS: usize = 100_000;
const PUBLIC: &str = include_str!("../tests/it/keys/ec.public.pem");
const PRIVATE: &str = include_str!("../tests/it/keys/ec.private.pem");
/// What a node gives to checked tokens by default, and too little for all of them.
const MEMORIES: [usize; 2] = [64 << 20, 8 << 20];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (folder, now) = (tempfile::tempdir()?, SystemClock.now());
    let options = SqliteOptions::default();
    let store = Arc::new(SqliteControlStore::open(folder.path(), &options)?);
    let workspace = Workspace {
        id: WorkspaceId::generate(now),
        name: "tokens".to_owned(),
        created_at: now,
    };
    store.insert_workspace(&workspace).await?;
    let app = App {
        id: AppId::generate(now),
        workspace: workspace.id,
        name: "web".to_owned(),
        keys: vec![check_token_key(PUBLIC.as_bytes())?],
        created_at: now,
    };
    store.insert_app(&app).await?;
    let signer = Signer::new()?;
    for memory in MEMORIES {
        let clock = Arc::new(SystemClock);
        let verifier = TokenVerifier::new(store.clone(), clock, Duration::ZERO, memory);
        let tokens: Result<Vec<String>, Box<dyn Error>> = (0..TOKENS)
            .map(|number| {
                let claims = json!({
                    "sub": format!("user-{number:07}"), "aud": app.id,
                    "exp": now.as_seconds() + 3_600,
                });
                signer.token(&claims)
            })
            .collect();
        let (tokens, before) = (tokens?, resident()?);
        println!("{} MiB for {TOKENS} tokens (ES256):", memory >> 20);
        for time in ["first seen", "seen again", "seen again"] {
            let begun = Instant::now();
            for token in &tokens {
                verifier.verify(token).await?;
            }
            let each = begun.elapsed().as_secs_f64() * 1e6 / TOKENS as f64;
            let grown = resident()?.saturating_sub(before);
            println!("  {time}: {each:.1} us each; {grown} KiB more in use");
        }
    }
    Ok(())
}

/// Makes tokens as an app does.
struct Signer {
    random: SystemRandom,
    pair: EcdsaKeyPair,
}

impl Signer {
    fn new() -> Result<Self, Box<dyn Error>> {
        let lines = PRIVATE.lines().filter(|line| !line.starts_with("-----"));
        let key = STANDARD.decode(lines.collect::<String>())?;
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key, &random)
            .map_err(|error| error.to_string())?;
        Ok(Self { random, pair })
    }

    fn token(&self, claims: &Value) -> Result<String, Box<dyn Error>> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"alg": "ES256", "typ": "JWT"});
        let message = format!("{}.{}", part(&header), part(claims));
        let signature = self.pair.sign(&self.random, message.as_bytes());
        let signature = signature.map_err(|_| "nothing was signed")?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Of this process, in KiB.
fn resident() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no VmRSS")?.parse()?)
}
