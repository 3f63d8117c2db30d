//! One database for one test.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::programs::{command, output};
use super::{PgServer, blocking};

static MADE: AtomicU32 = AtomicU32::new(0);

/// A database that is dropped with this value, whoever is still connected.
#[derive(Debug)]
pub struct PgDatabase {
    name: String,
    url: String,
    /// Shared servers end with their last database.
    server: Arc<PgServer>,
}

impl PgDatabase {
    pub(super) fn create(server: Arc<PgServer>) -> Self {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        // Several processes may share one server.
        let name = format!("test_{}_{number}", std::process::id());
        let url = server.url(&name);
        let database = Self { name, url, server };
        database.administer(&format!("DROP DATABASE IF EXISTS {}", database.name));
        database.administer(&format!(
            "CREATE DATABASE {} TEMPLATE template0",
            database.name
        ));
        database
    }

    /// `postgres://…`, as a configuration has it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server it is on.
    #[must_use]
    pub fn server(&self) -> &Arc<PgServer> {
        &self.server
    }

    /// Runs statements with `psql`, as somebody beside the code under test would; returns the rows,
    /// a line each, columns separated by `|`.
    ///
    /// # Panics
    ///
    /// When a statement fails, with what the server said.
    pub async fn sql(&self, statements: &str) -> String {
        let (url, statements) = (self.url.clone(), statements.to_owned());
        blocking(move || psql(&url, &statements)).await
    }

    /// The same for statements that may fail: `Err` has what the server said.
    pub async fn try_sql(&self, statements: &str) -> Result<String, String> {
        let (url, statements) = (self.url.clone(), statements.to_owned());
        blocking(move || try_psql(&url, &statements)).await
    }

    fn administer(&self, statement: &str) {
        psql(&self.server.url("postgres"), statement);
    }
}

impl Drop for PgDatabase {
    fn drop(&mut self) {
        // A server of our own goes with its last database, if it was not killed before.
        if self.server.is_ours() && Arc::strong_count(&self.server) == 1 {
            return;
        }
        let mut psql = command("psql");
        psql.args(["--no-psqlrc", "--quiet", "--dbname"])
            .arg(self.server.url("postgres"))
            .env("PGCONNECT_TIMEOUT", "5")
            .args([
                "--command",
                &format!("DROP DATABASE {} WITH (FORCE)", self.name),
            ]);
        let _ = psql.output();
    }
}

fn psql(url: &str, statements: &str) -> String {
    output(psql_command(url, statements))
}

/// The rows, or what the server said instead.
pub(super) fn try_psql(url: &str, statements: &str) -> Result<String, String> {
    let output = psql_command(url, statements).output();
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn psql_command(url: &str, statements: &str) -> Command {
    let mut psql = command("psql");
    psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
        .args(["--set", "ON_ERROR_STOP=1", "--dbname", url])
        .env("PGCONNECT_TIMEOUT", "10")
        .args(["--command", statements]);
    psql
}
