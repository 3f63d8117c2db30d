//! A throw-away certificate with which a server speaks TLS.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;

use super::programs::unprivileged;

/// The host that the certificate is for.
pub(super) const HOST: &str = "localhost";

/// Where the certificate of the server in this folder is, in PEM form.
pub(super) fn certificate(folder: &Path) -> PathBuf {
    folder.join("data/server.crt")
}

/// As files have it.
fn pem(what: &str, bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .filter_map(|line| str::from_utf8(line).ok())
        .collect();
    format!(
        "-----BEGIN {what}-----\n{}\n-----END {what}-----\n",
        lines.join("\n")
    )
}

/// Puts a new certificate and its key where the server looks for them.
pub(super) fn create(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned()])
        .expect("a valid certificate name");
    let key = folder.join("data/server.key");
    for (file, text) in [
        (certificate(folder), pem("CERTIFICATE", made.cert.der())),
        (
            key.clone(),
            pem("PRIVATE KEY", &made.signing_key.serialize_der()),
        ),
    ] {
        fs::write(&file, text).expect("initdb made the folder");
        if let Some((user, group)) = unprivileged() {
            chown(&file, Some(user), Some(group)).expect("root may do this");
        }
    }
    // A server refuses a key that others may read.
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("the file is ours");
}
