//! A tenant's own pages against the real server: said from the shell, known to a node that runs.

mod support;

use std::{ffi::OsStr, fs, path::Path, time::Duration};

use serde_json::json;
use support::{
    control::{BackEnd, PATIENT},
    http,
    node::{Node, consilium},
    signal::Signal,
    within_patience,
};
use tempfile::TempDir;

const OF_CLINIC: &str = "https://portal.clinic.example";
const OF_OTHER: &str = "https://portal.other.example";

/// Runs a command beside the node; what it printed.
fn run(config: &Path, words: &[&str]) -> String {
    let arguments = words.iter().map(OsStr::new).chain([OsStr::new("--config"), config.as_os_str()]);
    let done = consilium(arguments).output().expect("the binary runs");
    assert!(done.status.success(), "{words:?}: {done:?}");
    String::from_utf8(done.stdout).expect("text").trim().to_owned()
}

/// Waits until pages of this origin are let in to the first word.
async fn known(node: &Node, origin: &str) -> Signal {
    within_patience("the node to know the portal", async {
        loop {
            if let Ok(signal) = Signal::try_open(node.address(), Some(origin)).await {
                return signal;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_that_the_shell_adds_calls_a_running_node_for_its_own_tenant() {
    let folder = TempDir::new().expect("a folder");
    let (config, data) = (folder.path().join("consilium.toml"), folder.path().join("data"));
    let media = "[media]\nport = 0\nbind_v4 = \"127.0.0.1\"\nbind_v6 = \"::1\"\n";
    let text = format!("listen = \"127.0.0.1:0\"\ndata = {data:?}\nshards = 1\n{media}");
    fs::write(&config, text).expect("a file");
    run(&config, &["tenant", "create", "clinic"]);
    run(&config, &["tenant", "create", "other"]);
    let key = run(&config, &["client", "create", "--tenant", "clinic", "--name", "ehr"]);
    assert_eq!(run(&config, &["tenant", "origins", "--tenant", "clinic", "--add", OF_CLINIC]), OF_CLINIC);
    let serve = ["serve", "--config"].map(OsStr::new).into_iter().chain([config.as_os_str()]);
    let node = Node::serve(serve, &data);
    let plain = http::get(node.address(), "/healthz").await;
    assert_eq!(plain.header("strict-transport-security"), None, "nothing here says that there is TLS");

    assert!(Signal::try_open(node.address(), Some(OF_OTHER)).await.is_err());
    run(&config, &["tenant", "origins", "--tenant", "other", "--add", OF_OTHER]);
    let mut foreign = known(&node, OF_OTHER).await;
    let back_end = BackEnd::with_key(node.address(), &key);
    let consult = back_end.consult().await;
    let ticket = back_end.ticket(&consult, PATIENT).await;
    foreign.hello(&ticket.token).await;
    assert_eq!(foreign.expect_fatal().await, ("forbidden".into(), 4403));
    let mut own = known(&node, OF_CLINIC).await;
    own.hello(&ticket.token).await;
    own.expect("welcome").await;

    let embed = async |path: &str| http::get(node.address(), path).await;
    for (path, ancestors) in [
        ("/embed/clinic", format!("frame-ancestors 'self' {OF_CLINIC};")),
        ("/embed/other", format!("frame-ancestors 'self' {OF_OTHER};")),
        ("/guest", "frame-ancestors 'none';".to_owned()),
        ("/portal/", "frame-ancestors 'self';".to_owned()),
    ] {
        let page = embed(path).await;
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(page.status == 200 && policy.contains(&ancestors), "{path}: {policy}");
    }
    assert!(embed("/embed/clinic").await.body.contains(&format!("content=\"{OF_CLINIC}\"")));
    assert_eq!(embed("/embed/nowhere").await.status, 404);

    let code = json!({"code": format!("clinic.{}", "A".repeat(22))}).to_string();
    for (origin, problem) in [(OF_OTHER, "origin_refused"), (OF_CLINIC, "not_found")] {
        let headers = [("Content-Type", "application/json"), ("Origin", origin)];
        let answer = http::request(node.address(), "POST", "/v1/guest-links/redeem", &headers, &code).await;
        assert_eq!(answer.problem().1, problem, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "that its page may read why");
    }
    assert!(node.stop().status.success());
}
