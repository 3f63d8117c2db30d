//! Workspaces, apps and keys from the command line, and a node that serves them.

use std::fs;
use std::path::Path;

use corkboard_testkit::{TestClient, wait_until};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::process::{PATIENCE, Served, command, run};

const PUBLIC_KEY: &str = include_str!("../../../api/tests/it/keys/ec.public.pem");
pub(crate) const CONFIG: &str = "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
                                 [store]\npath = \"data\"\n[log]\nformat = \"json\"\n";

/// The value of a `name: value` line that is all a command prints.
#[track_caller]
pub(crate) fn field(folder: &Path, arguments: &str, name: &str) -> String {
    let printed = run(folder, arguments).expect(0).stdout;
    let value = printed
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix(": "));
    let value = value.unwrap_or_else(|| panic!("expected '{name}: …', got '{printed}'"));
    value.strip_suffix('\n').unwrap().to_owned()
}

pub(crate) fn table(folder: &Path, arguments: &str) -> Value {
    serde_json::from_str(&run(folder, arguments).expect(0).stdout).unwrap()
}

#[tokio::test]
async fn what_the_commands_create_a_node_serves() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("c.toml"), CONFIG).unwrap();
    fs::write(at.join("secret"), "0123456789abcdef0123456789abcdef\n").unwrap();
    assert!(
        run(at, "migrate --config c.toml")
            .expect(0)
            .stdout
            .contains("schema")
    );

    let workspace = field(at, "workspace create acme --config c.toml", "workspace");
    let app = "app create --workspace acme shop --jwt-secret-file secret --config c.toml";
    assert!(field(at, app, "app").starts_with("app_"));
    let key = field(at, "key create --workspace acme --config c.toml", "api_key");
    let narrow = format!("key create --workspace {workspace} --scopes users:read --config c.toml");
    let narrow = field(at, &narrow, "api_key");

    let workspaces = table(at, "workspace list --json --config c.toml");
    assert_eq!(workspaces[0]["name"], "acme");
    let keys = table(at, "key list --json --config c.toml");
    assert_eq!(keys.as_array().unwrap().len(), 2);
    assert!(
        !keys.to_string().contains(&key),
        "a listing never shows a key"
    );
    assert_eq!(table(at, "cohorts list --json --config c.toml"), json!([]));
    assert_eq!(
        table(at, "cohorts retire --dry-run --json --config c.toml"),
        json!([])
    );

    let mut node = Served::start(command(at, "serve --config c.toml"));
    let serving: Value = serde_json::from_str(&node.log("\"serving\"")).unwrap();
    let api = format!("http://{}", serving["listen"].as_str().unwrap());
    let admin = TestClient::new(format!("http://{}", serving["admin"].as_str().unwrap()));
    let server = TestClient::new(&api).with_bearer(&key);
    let list = server
        .get("/v1/campaigns")
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(list, json!({"data": [], "next_cursor": null}));
    let limited = TestClient::new(&api).with_bearer(&narrow);
    let _ = limited.get("/v1/campaigns").send().await.expect_status(403);

    let ready = admin.get("/readyz").send().await.expect_status(200).json();
    assert_eq!(ready["ready"], true);
    let _ = admin.get("/healthz").send().await.expect_status(200);
    let metrics = admin.get("/metrics").send().await.expect_status(200).text();
    for name in [
        "corkboard_build_info{",
        "corkboard_edge_connections{",
        "corkboard_process_",
    ] {
        assert!(metrics.contains(name), "{name} is missing in:\n{metrics}");
    }
    let level = admin
        .put("/log/level")
        .body("debug")
        .send()
        .await
        .expect_status(200);
    assert_eq!(level.text(), "debug\n");
    let _ = admin
        .put("/log/level")
        .body("loud")
        .send()
        .await
        .expect_status(400);

    let in_use = run(at, "workspace list --config c.toml").expect(69);
    assert!(
        in_use.stderr.contains("in use by another process"),
        "{}",
        in_use.stderr
    );
    let doctor = run(at, "doctor --json --config c.toml").expect(69);
    assert!(
        doctor.stdout.contains("in use by another process"),
        "{}",
        doctor.stdout
    );

    node.signal(Signal::TERM);
    assert_eq!(node.ended().await.code(), Some(0));
    let _ = node.log("shut down in order");
}

#[test]
fn names_and_ids_that_do_not_exist_are_wrong_usage() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("c.toml"), CONFIG).unwrap();
    fs::write(at.join("short"), "too short").unwrap();
    fs::write(at.join("long"), "0123456789abcdef0123456789abcdef").unwrap();
    field(at, "workspace create acme --config c.toml", "workspace");
    for (arguments, part) in [
        ("workspace create acme", "already taken"),
        ("key create --workspace nobody", "nobody"),
        ("key revoke key_00000000000000000000000000", "key list"),
        ("app create --workspace acme shop", "--jwt-public-key"),
        ("app list --workspace nobody", "nobody"),
        (
            "app rotate app_00000000000000000000000000 --jwt-secret-file long",
            "app list",
        ),
        (
            "app create --workspace acme shop --jwt-secret-file short",
            "32 or more",
        ),
        (
            "app create --workspace acme shop --jwt-public-key short --jwt-public-key gone",
            "gone",
        ),
    ] {
        let finished = run(at, &format!("{arguments} --config c.toml")).expect(64);
        assert!(
            finished.stderr.contains(part),
            "{arguments}: {}",
            finished.stderr
        );
    }
}

#[test]
fn the_keys_of_an_app_are_listed_and_replaced_but_never_shown() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("c.toml"), CONFIG).unwrap();
    fs::write(at.join("secret"), "0123456789abcdef0123456789abcdef").unwrap();
    fs::write(at.join("key.pem"), PUBLIC_KEY).unwrap();
    field(at, "workspace create acme --config c.toml", "workspace");
    let create = "app create --workspace acme shop --jwt-secret-file secret --config c.toml";
    let id = field(at, create, "app");
    let list = "app list --workspace acme --json --config c.toml";
    let listed = table(at, list);
    assert_eq!(listed[0]["id"], id);
    assert_eq!(listed[0]["name"], "shop");
    assert_eq!(listed[0]["keys"], json!(["HS256"]));
    assert!(!listed.to_string().contains("0123456789abcdef"));
    let rotate = format!(
        "app rotate {id} --jwt-public-key key.pem --jwt-public-key key.pem --config c.toml"
    );
    assert_eq!(field(at, &rotate, "rotated"), id);
    assert_eq!(table(at, list)[0]["keys"], json!(["ES256", "ES256"]));
    let shown = run(at, "app list --workspace acme --config c.toml").expect(0);
    assert!(shown.stdout.contains("ES256,ES256"), "{}", shown.stdout);
    let without = format!("app rotate {id} --config c.toml");
    assert!(
        run(at, &without)
            .expect(64)
            .stderr
            .contains("--jwt-public-key")
    );
    assert_eq!(table(at, list)[0]["keys"], json!(["ES256", "ES256"]));
}

#[test]
fn a_revoked_key_is_listed_as_revoked() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("c.toml"), CONFIG).unwrap();
    field(at, "workspace create acme --config c.toml", "workspace");
    field(at, "key create --workspace acme --config c.toml", "api_key");
    let id = table(at, "key list --json --config c.toml")[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        field(at, &format!("key revoke {id} --config c.toml"), "revoked"),
        id
    );
    let listed = table(at, "key list --workspace acme --json --config c.toml");
    assert!(listed[0]["revoked_at"].is_string(), "{listed}");
}

#[test]
fn the_doctor_is_content_with_a_new_installation_and_names_an_open_guard() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let open = format!("{CONFIG}[fetch]\nallow_networks = [\"10.0.0.0/8\"]\n");
    fs::write(at.join("c.toml"), open).unwrap();
    let before = table(at, "doctor --json --config c.toml").to_string();
    assert!(before.contains("does not exist yet"), "{before}");
    assert!(!at.join("data").exists(), "looking makes nothing");
    run(at, "migrate --config c.toml").expect(0);
    let findings = table(at, "doctor --json --config c.toml");
    let findings = findings.as_array().unwrap();
    let of = |check: &str| findings.iter().find(|one| one["check"] == check).unwrap();
    for check in ["clock", "store", "schema", "cohorts"] {
        assert_eq!(of(check)["verdict"], "ok", "{}", of(check));
    }
    assert_eq!(of("fetch guard")["verdict"], "warn");
}

#[tokio::test]
async fn a_node_without_the_api_role_listens_for_its_operator_only() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("c.toml"), CONFIG).unwrap();
    let mut node = Served::start(command(at, "serve --config c.toml --roles keeper,worker"));
    let serving: Value = serde_json::from_str(&node.log("\"serving\"")).unwrap();
    assert_eq!(serving["listen"], "");
    assert_eq!(serving["roles"], "worker,keeper");
    let admin = TestClient::new(format!("http://{}", serving["admin"].as_str().unwrap()));
    wait_until(PATIENCE, "readiness", || async {
        let status = admin.get("/readyz").send().await.status;
        if status == 200 {
            Ok(())
        } else {
            Err(status.to_string())
        }
    })
    .await;
    node.signal(Signal::INT);
    assert_eq!(node.ended().await.code(), Some(0));
}
