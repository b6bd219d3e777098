//! The repository's Rust files, split into product code and tests.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One Rust file.
pub struct Source {
    /// Path from the root of the repository, with slashes.
    pub path: String,
    pub lines: Vec<String>,
    /// Index of the first line of an inline `mod tests`, or the number of lines.
    pub tests_from: usize,
}

const SKIPPED_FOLDERS: [&str; 7] = ["target", "node_modules", "dist", ".git", "data", ".artifacts", ".venv"];

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Source {
    pub fn all() -> Vec<Self> {
        files(root(), &["rs"]).into_iter().map(|path| Self::read(&path)).collect()
    }

    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a source file is UTF-8");
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let tests_from = lines.iter().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(lines.len());
        let relative = path.strip_prefix(root()).expect("below the root");
        Self { path: relative.to_string_lossy().replace('\\', "/"), lines, tests_from }
    }

    /// Whether the whole file exists for tests, benches or experiments.
    pub fn is_test_file(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.contains("/tests/")
            || self.path.starts_with("tests/")
            || self.path.starts_with("benches/")
            || name.ends_with("tests.rs")
            || name == "build.rs"
    }

    /// Product code: (line number from 1, text), comments left out.
    pub fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = if self.is_test_file() { 0 } else { self.tests_from };
        let lines = self.lines.iter().take(end).enumerate().map(|(i, line)| (i + 1, line.as_str()));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    pub fn is_below(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }
}

/// Files with one of these extensions, sorted.
pub fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of the repository").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            if !SKIPPED_FOLDERS.contains(&name.to_string_lossy().as_ref()) {
                found.extend(files(&path, extensions));
            }
        } else if path.extension().is_some_and(|e| extensions.contains(&e.to_string_lossy().as_ref())) {
            found.push(path);
        }
    }
    found.sort();
    found
}
