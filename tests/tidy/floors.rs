//! Who may use what: floors, purity, and the borders around foreign crates and SQL.

use std::fs;

use super::sources::{Source, root};

/// Each crate's folder and its floor. Dependencies point strictly down.
const FLOORS: [(&str, &str, u8); 12] = [
    ("media-model", "media/model", 0),
    ("huge-pages", "media/huge-pages", 0),
    ("prefetch", "media/prefetch", 0),
    ("media-engine", "media/engine", 1),
    ("signaling-protocol", "signaling/protocol", 1),
    ("media-io", "media/io", 2),
    ("node-log", "signaling/node-log", 2),
    ("media-sim", "media/sim", 2),
    ("signaling", "signaling", 3),
    ("control-api", "control-api", 3),
    ("consilium-loadtest", "loadtest", 3),
    ("consilium", ".", 4),
];

const PURE: [&str; 4] =
    ["media/model/src/", "media/prefetch/src/", "media/engine/src/", "signaling/protocol/src/"];

const IMPURE: [&str; 16] = [
    "Instant::now",
    "SystemTime::now",
    ".elapsed()",
    "std::thread",
    "thread::spawn",
    "Mutex",
    "RwLock",
    "Condvar",
    "mpsc::",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "std::fs",
    "std::env",
    "thread_rng",
    "rand::random",
];

const RTC_BORDERS: [&str; 2] = ["media/engine/src/transport/", "signaling/src/sdp/"];

pub fn upward_dependencies() -> Vec<String> {
    let mut findings = Vec::new();
    for (name, folder, floor) in FLOORS {
        let path = root().join(folder).join("Cargo.toml");
        let manifest = fs::read_to_string(&path).expect("the crate's manifest");
        let dependencies =
            manifest.split("\n[").find(|part| part.starts_with("dependencies]")).unwrap_or_default();
        for (other, _, other_floor) in FLOORS {
            let is_used = dependencies.lines().any(|line| line.split(['.', ' ', '=']).next() == Some(other));
            if is_used && other_floor >= floor {
                findings.push(format!("{name} (floor {floor}) depends on {other} (floor {other_floor})"));
            }
        }
    }
    findings
}

pub fn impurities(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.is_below(&PURE)) {
        for (number, line) in source.product_lines() {
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                findings.push(format!("{}:{number}: {word}", source.path));
            }
        }
    }
    findings
}

/// Faults on purpose are for one test only: no crate has them by default, and nothing that is delivered is built with them.
pub fn planted_faults_in_a_release() -> Vec<String> {
    const FEATURE: &str = "planted-faults";
    let mut findings = Vec::new();
    for (name, folder, _) in FLOORS {
        let path = root().join(folder).join("Cargo.toml");
        let manifest = fs::read_to_string(&path).expect("the crate's manifest");
        for line in manifest.lines().filter(|line| line.contains(FEATURE)) {
            let defines = line.starts_with(FEATURE) || line.starts_with("required-features");
            if !defines || line.starts_with("default") {
                findings.push(format!("{name}: {line}"));
            }
        }
    }
    for folder in ["deploy", "loadtest", "benches"] {
        findings.extend(files_naming(&root().join(folder), FEATURE));
    }
    findings
}

fn files_naming(folder: &std::path::Path, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_naming(&path, word));
        } else if fs::read_to_string(&path).is_ok_and(|text| text.contains(word)) {
            found.push(path.display().to_string());
        }
    }
    found
}

pub fn rtc_outside_its_border(sources: &[Source]) -> Vec<String> {
    lines_with(sources, &RTC_BORDERS, |line| {
        line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word.starts_with("rtc_"))
    })
}

pub fn sql_outside_the_store(sources: &[Source]) -> Vec<String> {
    lines_with(sources, &["control-api/src/store/"], |line| line.contains("sqlx::query"))
}

fn lines_with(sources: &[Source], allowed: &[&str], is_bad: impl Fn(&str) -> bool) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| !source.is_below(allowed)) {
        for (number, line) in source.product_lines().filter(|(_, line)| is_bad(line)) {
            findings.push(format!("{}:{number}: {}", source.path, line.trim()));
        }
    }
    findings
}
