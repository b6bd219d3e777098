//! What stands in the text: citations, assertions, trust, and words that do not belong here.

use std::fs;

use super::sources::{Source, files, root};

/// Where bytes, text and numbers from outside are read.
const BORDERS: [&str; 4] =
    ["media/engine/src/", "signaling/protocol/src/", "signaling/src/sdp/", "signaling/src/session/"];

/// Where an `expect` is about our own key material. An entry may be taken out, never put in.
const EXPECTED: [&str; 2] =
    ["media/engine/src/transport/dtls/client.rs", "media/engine/src/transport/dtls/identity.rs"];

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

/// ` 8445`, ` 8445 §7.3`; never `8445` without the space, nor ` 8445 section 7.3`.
fn is_good_citation(after: &str) -> bool {
    if !after.starts_with(|c: char| c == ' ' || c == '-' || c.is_ascii_digit()) {
        return true;
    }
    let Some(rest) = after.strip_prefix(' ') else { return false };
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let rest = rest[number.len()..].trim_start_matches([',', ' ']).to_lowercase();
    let is_numbered = (3..=5).contains(&number.len());
    is_numbered && !rest.starts_with("section") && !rest.starts_with("sec.")
}

pub fn tests_without_assertion(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let asserting: Vec<String> = functions(source)
            .filter(|function| !function.is_test && asserts(&function.body))
            .map(|function| function.name)
            .collect();
        for test in functions(source).filter(|function| function.is_test) {
            let calls_one = || asserting.iter().any(|name| test.body.iter().any(|line| calls(line, name)));
            if !asserts(&test.body) && !calls_one() {
                findings.push(format!("{}: {}", source.path, test.name));
            }
        }
    }
    findings
}

struct Function<'a> {
    name: String,
    is_test: bool,
    body: Vec<&'a str>,
}

/// The functions of a file. The code is formatted, so a body ends at its own indentation.
fn functions(source: &Source) -> impl Iterator<Item = Function<'_>> {
    source.lines.iter().enumerate().filter_map(|(start, line)| {
        let name = super::shape::function_name(line)?;
        let end = format!("{}}}", " ".repeat(line.len() - line.trim_start().len()));
        let body = source.lines[start..].iter().map(String::as_str).take_while(|line| **line != end).skip(1);
        let attributes = source.lines[..start].iter().rev().take_while(|line| line.trim().starts_with("#["));
        let is_test =
            attributes.map(|line| line.trim()).any(|a| a == "#[test]" || a.starts_with("#[tokio::test"));
        Some(Function { name, is_test, body: body.collect() })
    })
}

fn asserts(body: &[&str]) -> bool {
    body.iter().any(|line| ["assert", "report(", "panic!"].iter().any(|word| line.contains(word)))
}

fn calls(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| line[at + name.len()..].starts_with(['(', ':']))
}

pub fn trusting(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.is_below(&BORDERS)) {
        for (number, line) in source.product_lines() {
            let indexed = OUTSIDE.iter().any(|name| indexes(line, name));
            let expects = line.contains(".expect(") && !EXPECTED.contains(&source.path.as_str());
            if line.contains(".unwrap()") || expects || indexed {
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
