//! How long things are, and that each file introduces itself.

use super::sources::Source;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// What is longer than it should be. An entry may be taken out, never put in.
const LONG_FILES: [&str; 0] = [];
/// `path: function`, likewise.
const LONG_FUNCTIONS: [&str; 0] = [];

pub fn too_long(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        if source.lines.len() > FILE_LINES_MAX && !LONG_FILES.contains(&source.path.as_str()) {
            findings.push(format!("{}: {} lines", source.path, source.lines.len()));
        }
        for (name, line, length) in functions(source) {
            let key = format!("{}: {name}", source.path);
            if length > FUNCTION_LINES_MAX && !LONG_FUNCTIONS.contains(&key.as_str()) {
                findings.push(format!("{}:{line}: fn {name} has {length} lines", source.path));
            }
        }
    }
    findings
}

pub fn stale_exceptions(sources: &[Source]) -> Vec<String> {
    let is_long_file = |path: &str| sources.iter().any(|s| s.path == path && s.lines.len() > FILE_LINES_MAX);
    let is_long_function = |key: &str| {
        sources.iter().any(|source| {
            let mut functions = functions(source).into_iter();
            functions.any(|(name, _, n)| n > FUNCTION_LINES_MAX && format!("{}: {name}", source.path) == key)
        })
    };
    let files = LONG_FILES.iter().filter(|path| !is_long_file(path));
    let functions = LONG_FUNCTIONS.iter().filter(|key| !is_long_function(key));
    files.chain(functions).map(|entry| (*entry).to_owned()).collect()
}

pub fn without_introduction(sources: &[Source]) -> Vec<String> {
    let introduced = |source: &&Source| !source.lines.first().is_some_and(|line| line.starts_with("//! "));
    sources.iter().filter(introduced).map(|source| source.path.clone()).collect()
}

/// Name, first line and length of each function. The code is formatted, so a function ends at its own indentation.
fn functions(source: &Source) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (start, line) in source.lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let closes =
            |line: &String| line.len() > indent && line[indent..] == *"}" && line[..indent].trim().is_empty();
        if line.trim_end().ends_with([';', '}']) {
            continue;
        }
        if let Some(length) = source.lines[start..].iter().position(closes) {
            found.push((name, start + 1, length + 1));
        }
    }
    found
}

pub fn function_name(line: &str) -> Option<String> {
    let line = line.trim_start();
    let (before, after) = line.split_once("fn ")?;
    let is_modifier = |word: &str| {
        matches!(word, "pub" | "const" | "async" | "unsafe" | "extern" | "\"C\"") || word.starts_with("pub(")
    };
    let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (before.split_whitespace().all(is_modifier) && !name.is_empty()).then_some(name)
}
