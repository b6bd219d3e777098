//! What stands in the text: citations, assertions, trust, and words that do not belong here.

use std::fs;

use super::sources::{Source, files, root};

/// Where bytes, text and numbers from outside are read.
const BORDERS: [&str; 4] =
    ["media/engine/src/", "signaling/protocol/src/", "signaling/src/sdp/", "signaling/src/session/"];

/// Names that hold bytes from outside in those places.
const OUTSIDE: [&str; 9] =
    ["datagram", "packet", "payload", "data", "bytes", "message", "input", "extension", "sdp"];

pub fn odd_citations(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| !source.path.starts_with("tests/tidy")) {
        for (i, line) in source.lines.iter().enumerate() {
            for (at, _) in line.match_indices("RFC") {
                if !is_good_citation(&line[at + 3..]) {
                    findings.push(format!("{}:{}: {}", source.path, i + 1, line.trim()));
                }
            }
        }
    }
    findings
}

/// ` 8445`, ` 8445 §7.3`; never `8445`, ` 8445 section 7.3` or ` 8445, §7.3`.
fn is_good_citation(after: &str) -> bool {
    if !after.starts_with(|c: char| c == ' ' || c == '-' || c.is_ascii_digit()) {
        return true;
    }
    let Some(rest) = after.strip_prefix(' ') else { return false };
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let rest = rest[number.len()..].trim_start_matches([',', ' ']).to_lowercase();
    let is_numbered = (3..=5).contains(&number.len());
    is_numbered && !rest.starts_with("section") && !rest.starts_with("sec.") && !after.contains(", §")
}

pub fn tests_without_assertion(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let attributes = source.lines.iter().enumerate().filter(|(_, line)| {
            let line = line.trim();
            line == "#[test]" || line.starts_with("#[tokio::test")
        });
        for (start, attribute) in attributes {
            let indent = attribute.len() - attribute.trim_start().len();
            let end = format!("{}}}", " ".repeat(indent));
            let body: Vec<&String> = source.lines[start..].iter().take_while(|line| **line != end).collect();
            let asserts = ["assert", "report(", "panic!", "expect_", "unreachable!"];
            if !body.iter().any(|line| asserts.iter().any(|word| line.contains(word))) {
                findings.push(format!("{}:{}", source.path, start + 1));
            }
        }
    }
    findings
}

pub fn trusting(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.is_below(&BORDERS)) {
        for (number, line) in source.product_lines() {
            let indexed = OUTSIDE.iter().any(|name| indexes(line, name));
            if line.contains(".unwrap()") || line.contains(".expect(") || indexed {
                findings.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    findings
}

/// Whether the line takes `name[…]`, which panics where `name.get(…)` would not.
fn indexes(line: &str, name: &str) -> bool {
    let pattern = format!("{name}[");
    line.match_indices(&pattern).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let is_whole_name = before.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let is_whole_range = line[at + pattern.len()..].starts_with("..]");
        is_whole_name && !is_whole_range
    })
}

/// Text files must not name the places where they were made.
pub fn foreign_words() -> Vec<String> {
    let extensions =
        ["rs", "toml", "md", "ts", "mjs", "js", "json", "sql", "html", "css", "lock", "yml", "sh", "sdp"];
    let words = [concat!("/wo", "rk/"), concat!("artif", "actory"), concat!("../sha", "red"), "/root/"];
    let mut findings = Vec::new();
    for path in files(root(), &extensions) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        for (i, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                if !path.ends_with("tidy/words.rs") {
                    findings.push(format!("{}:{}: {word}", path.display(), i + 1));
                }
            }
        }
    }
    findings
}
