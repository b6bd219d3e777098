//! Names that operators meet have a row in the runbook; what auditors read is founded on code and tests.

use std::{collections::BTreeSet, fs};

use media_engine::DropReason;
use signaling_protocol::error::ErrorCode;

use super::sources::{Source, root};

pub fn missing_from_runbook() -> Vec<String> {
    let runbook = fs::read_to_string(root().join("docs/runbook.md")).expect("docs/runbook.md");
    let drops = DropReason::ALL.iter().map(|reason| reason.as_str().to_owned());
    let errors = ErrorCode::ALL.iter().map(|code| code.as_str().to_owned());
    let names = drops.chain(errors).chain(metrics());
    names.filter(|name| !runbook.contains(&format!("`{name}`"))).collect()
}

/// Every quoted `consilium_…` name in the metrics' source.
fn metrics() -> Vec<String> {
    let sources = Source::all();
    let metrics =
        sources.iter().find(|s| s.path.ends_with("telemetry/metrics.rs")).expect("the metrics' source");
    let mut names = Vec::new();
    for (_, line) in metrics.product_lines() {
        names.extend(line.split('"').filter(|part| part.starts_with("consilium_")).map(str::to_owned));
    }
    assert!(names.len() > 10, "the metrics are found by their names");
    names
}

/// Files and tests that the table of safeguards names and that are not there.
pub fn unfounded_safeguards() -> Vec<String> {
    let page = fs::read_to_string(root().join("docs/hipaa.md")).expect("docs/hipaa.md");
    let functions: BTreeSet<String> = Source::all().iter().flat_map(functions).collect();
    let names =
        page.lines().filter(|line| line.starts_with('|')).flat_map(|line| line.split('`').skip(1).step_by(2));
    let (mut tests, mut unfounded) = (0, Vec::new());
    for name in names {
        let is_path = name.contains('/') && !name.contains([' ', '{']);
        let is_test =
            name.matches('_').count() >= 2 && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        tests += usize::from(is_test);
        if is_path && !root().join(name).exists() || is_test && !functions.contains(name) {
            unfounded.push(name.to_owned());
        }
    }
    assert!(tests > 20, "the tests are found by their names");
    unfounded
}

fn functions(source: &Source) -> Vec<String> {
    let name = |line: &String| {
        let rest = line.split("fn ").nth(1)?;
        rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().map(str::to_owned)
    };
    source.lines.iter().filter_map(name).collect()
}
