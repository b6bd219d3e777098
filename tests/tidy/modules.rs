//! Modules of one crate that import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::Source;

type Graph = BTreeMap<String, BTreeSet<String>>;

/// One finding for each circle between the top modules of a crate.
pub fn circles(sources: &[Source]) -> Vec<String> {
    let mut graphs: BTreeMap<String, Graph> = BTreeMap::new();
    for source in sources {
        let Some((krate, module)) = place(&source.path) else { continue };
        let edges = graphs.entry(krate).or_default().entry(module.clone()).or_default();
        edges.extend(imports(source).into_iter().filter(|other| *other != module));
    }
    let mut findings = Vec::new();
    for (krate, graph) in &graphs {
        for start in graph.keys() {
            if let Some(path) = path_back(graph, start) {
                findings.push(format!("{krate}: {}", path.join(" -> ")));
            }
        }
    }
    findings
}

/// Crate folder and top module of a product file; roots belong to no module.
fn place(path: &str) -> Option<(String, String)> {
    let (krate, inner) =
        path.split_once("/src/").or_else(|| path.strip_prefix("src/").map(|rest| (".", rest)))?;
    if inner == "lib.rs" || inner == "main.rs" {
        return None;
    }
    let module = inner.split(['/', '.']).next()?;
    Some((krate.to_owned(), module.to_owned()))
}

/// Top modules that are named after `crate::`, also in a braced list.
fn imports(source: &Source) -> BTreeSet<String> {
    let code: String = source.product_lines().flat_map(|(_, line)| [line, "\n"]).collect();
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(list) => found.extend(first_names(list)),
            None => found.extend(leading_name(rest)),
        }
    }
    found
}

/// The first name of each item of a braced list, up to its closing brace.
fn first_names(list: &str) -> Vec<String> {
    let (mut depth, mut names, mut at_start) = (0, Vec::new(), true);
    for (i, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            c if at_start && !c.is_whitespace() => {
                names.extend(leading_name(&list[i..]));
                at_start = false;
            }
            _ => {}
        }
    }
    names
}

/// A lower-case name is a module; a type at the crate's root is no edge.
fn leading_name(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let is_module =
        name.chars().next().is_some_and(|c| c.is_lowercase()) && text[name.len()..].starts_with("::");
    is_module.then_some(name)
}

fn path_back(graph: &Graph, start: &str) -> Option<Vec<String>> {
    let mut stack = vec![vec![start.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(path) = stack.pop() {
        for next in graph.get(path.last()?).into_iter().flatten() {
            let mut longer = path.clone();
            longer.push(next.clone());
            if next == start {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                stack.push(longer);
            }
        }
    }
    None
}
