//! Throw-away certificates in files, as an operator replaces them.

use std::fs::{File, write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Writes a fresh certificate for `localhost` and its key to `tls.crt` and `tls.key`, dated so many
/// seconds before a fixed time, so that one writing can be told from the next.
///
/// # Panics
///
/// When the folder cannot be written to.
pub fn write_identity(folder: &Path, age: u64) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
        .expect("localhost is a valid name");
    let when = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 - age);
    let key = made.signing_key.serialize_der();
    for (name, kind, der) in [
        ("tls.crt", "CERTIFICATE", made.cert.der().as_ref()),
        ("tls.key", "PRIVATE KEY", &key),
    ] {
        let path = folder.join(name);
        let text = STANDARD.encode(der);
        let pem = format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n");
        write(&path, pem)
            .and_then(|()| File::options().write(true).open(&path)?.set_modified(when))
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }
}
