//! Names that operators meet have a row in the runbook.

use std::fs;

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
