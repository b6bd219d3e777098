//! Schemathesis against the real server: what the OpenAPI document says of `/v1` is true, whatever is sent.

mod support;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::node::Node;

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(240);

/// Requests that are made up for each operation in each phase.
const EXAMPLES: &str = "20";

/// How often each status came, by operation.
type Answers = BTreeMap<String, BTreeMap<String, u64>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api")
}

/// Runs everything that Schemathesis checks but what one key cannot show: whether another's things can be seen. Tells whether
/// all was well, and what it said.
fn run(node: &Node, report: &Path) -> (bool, String) {
    let program = folder().join(".venv/bin/schemathesis");
    assert!(program.exists(), "Schemathesis is missing: run `deploy/dependencies test`");
    let url = format!("http://{}", node.address());
    let log = node.data().join("schemathesis.log");
    let mut child = Command::new(program)
        .args(["run", &format!("{url}/v1/openapi.json"), "--phases", "examples,coverage,fuzzing,stateful"])
        .args(["--checks", "all", "--exclude-checks", "object_level_authorization"])
        .args(["--max-examples", EXAMPLES, "--seed", "1", "--generation-database", "none"])
        .args(["--continue-on-failure", "--warnings", "off", "--no-color"])
        .args(["-H", &format!("Authorization: Bearer {}", node.api_key())])
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", folder())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("CONSILIUM_URL", url)
        .env("CONSILIUM_KEY", node.api_key())
        .env("CONSILIUM_CLIENT_ID", node.client_id())
        .env("CONSILIUM_REPORT", report)
        .current_dir(node.data())
        .stdin(Stdio::null())
        .stdout(File::create(&log).expect("a log"))
        .stderr(Stdio::inherit())
        .spawn()
        .expect("Schemathesis starts");
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break Some(status);
        }
        if started.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        thread::sleep(Duration::from_millis(100));
    };
    let said = fs::read_to_string(log).unwrap_or_default();
    let status = status.unwrap_or_else(|| panic!("Schemathesis takes longer than {PATIENCE:?}:\n{said}"));
    (status.success(), said)
}

#[test]
fn every_operation_succeeds_and_no_answer_is_undocumented() {
    let node = Node::dev();
    let report = node.data().join("answers.json");
    let (is_well, said) = run(&node, &report);
    assert!(is_well, "{said}");
    let report = fs::read_to_string(report).expect("the hooks wrote what they saw");
    let answers: Answers = serde_json::from_str(&report).expect("JSON");
    let document: Value = serde_json::from_str(control_api::openapi()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths").values();
    let operations = paths.flat_map(|path| path.as_object().expect("methods").values());
    let ids: Vec<_> = operations.filter_map(|operation| operation["operationId"].as_str()).collect();
    assert!(ids.len() >= 32, "{ids:?}");
    for id in ids {
        // What a provider sends back has to be signed; tests/browser/sign-in.test.mjs has one that does.
        let is_refused_only = id == "finishSignIn";
        let statuses = answers.get(id).unwrap_or_else(|| panic!("{id} was never called"));
        let has_succeeded = statuses.keys().any(|status| status.starts_with(['2', '3']));
        assert!(has_succeeded != is_refused_only, "{id}: {statuses:?}");
        assert!(!statuses.keys().any(|status| status.starts_with('5')), "{id} failed: {statuses:?}");
    }
}
