//! Rust text → the modules it makes, the paths it names, and where it says `unsafe`.
//!
//! It reads tokens, not syntax, so what stands inside a macro call counts like everything else. Comments and texts are no
//! tokens of their own and name nothing.

use std::collections::BTreeMap;

use super::lexer::{Token, tokens};

/// A module by its full name: `ojaflow`, `plan`, `build`.
pub type Module = Vec<String>;

/// One file of a crate.
#[derive(Debug)]
pub struct Source {
    /// From the project's root: `src/plan/build.rs`.
    pub path: String,
    pub module: Module,
    pub text: String,
}

/// A path as it is written somewhere.
#[derive(Clone, Debug)]
pub struct Named {
    pub file: usize,
    pub line: usize,
    /// The module that it stands in.
    pub within: Module,
    pub segments: Vec<String>,
    /// Passed on by a `pub use`, whatever the `pub` is restricted to.
    pub passed_on: bool,
}

/// What the files say of each other.
#[derive(Debug, Default)]
pub struct Read {
    /// Every module, with the index of its file.
    pub modules: BTreeMap<Module, usize>,
    pub named: Vec<Named>,
    /// What `use` calls by which name, by module.
    pub imports: BTreeMap<Module, BTreeMap<String, Vec<String>>>,
    /// Modules that only tests are built with.
    pub tests: Vec<Module>,
    /// File and line of every `unsafe`.
    pub unsafes: Vec<(usize, usize)>,
}

impl Read {
    pub fn new(sources: &[Source]) -> Self {
        let mut read = Self::default();
        for (file, source) in sources.iter().enumerate() {
            read.modules.insert(source.module.clone(), file);
            read.tokens(file, &source.module, &tokens(&source.text));
        }
        read
    }

    fn tokens(&mut self, file: usize, within: &Module, tokens: &[Token]) {
        let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
        let mut at = 0;
        while at < tokens.len() {
            match text(at) {
                "unsafe" => self.unsafes.push((file, tokens[at].line)),
                "mod" if text(at + 2) == ";" && is_for_tests(&tokens[..at]) => {
                    self.tests.push([within.as_slice(), &[text(at + 1).to_owned()]].concat());
                }
                "mod" if text(at + 2) == "{" => {
                    let end = end_of_group(tokens, at + 2);
                    let inner = [within.as_slice(), &[text(at + 1).to_owned()]].concat();
                    if is_for_tests(&tokens[..at]) {
                        self.tests.push(inner.clone());
                    }
                    self.modules.insert(inner.clone(), file);
                    self.tokens(file, &inner, &tokens[at + 3..end]);
                    at = end;
                }
                // `impl Trait + use<'a>` is another `use`.
                "use" if text(at + 1) != "<" => {
                    let passed_on = is_public(&tokens[..at]);
                    let end = (at..tokens.len()).find(|&end| text(end) == ";").unwrap_or(tokens.len());
                    self.used(file, within, &[], &tokens[at + 1..end], passed_on);
                    at = end;
                }
                _ if tokens[at].is_word() && (at == 0 || text(at - 1) != "::") => {
                    let (start, line) = (at, tokens[at].line);
                    let mut segments = vec![text(at).to_owned()];
                    while text(at + 1) == "::" && tokens.get(at + 2).is_some_and(Token::is_word) {
                        segments.push(text(at + 2).to_owned());
                        at += 2;
                    }
                    // Who may see an item is not whom it names: `pub(in crate::stages)`.
                    if segments.len() > 1 && !(start > 1 && text(start - 1) == "in" && text(start - 2) == "(") {
                        self.named.push(Named { file, line, within: within.clone(), segments, passed_on: false });
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// One tree of a `use`: `a::b`, `a::{b, c as d}`, `a::*`.
    fn used(&mut self, file: usize, within: &Module, before: &[String], tree: &[Token], passed_on: bool) {
        let mut segments = before.to_vec();
        let (mut line, mut alias) = (0, None);
        let mut at = 0;
        while at < tree.len() {
            match tree[at].text.as_str() {
                "as" => {
                    alias = tree.get(at + 1).map(|token| token.text.clone());
                    at += 1;
                }
                "{" => {
                    let end = end_of_group(tree, at);
                    for branch in branches(&tree[at + 1..end]) {
                        self.used(file, within, &segments, branch, passed_on);
                    }
                    return;
                }
                word if word == "*" || tree[at].is_word() => {
                    line = tree[at].line;
                    segments.push(word.to_owned());
                }
                _ => {}
            }
            at += 1;
        }
        // `a::{self}` is `a`.
        if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
            segments.pop();
        }
        let Some(name) = alias.or_else(|| segments.last().cloned()) else { return };
        self.imports.entry(within.clone()).or_default().insert(name, segments.clone());
        self.named.push(Named { file, line, within: within.clone(), segments, passed_on });
    }
}

/// Where the group that opens at `open` closes.
fn end_of_group(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => return at,
            "}" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// The parts of `a, b::{c, d}` between its outer commas.
fn branches(tokens: &[Token]) -> Vec<&[Token]> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 0 => {
                found.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&tokens[start..]);
    found.retain(|branch| !branch.is_empty());
    found
}

/// Whether `pub` or `pub(…)` ends what stands before an item's keyword.
fn is_public(before: &[Token]) -> bool {
    let text = |back: usize| before.len().checked_sub(back).map_or("", |at| before[at].text.as_str());
    let opens = (1..=before.len()).find(|&back| text(back) == "(");
    text(1) == "pub" || (text(1) == ")" && opens.is_some_and(|back| text(back + 1) == "pub"))
}

/// Whether `#[cfg(test)]` stands before an item's keyword.
fn is_for_tests(before: &[Token]) -> bool {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let visibility = match before {
        [.., keyword, _, _, close] if close.text == ")" && keyword.text == "pub" => 4,
        [.., keyword] if keyword.text == "pub" => 1,
        _ => 0,
    };
    let before = &before[..before.len() - visibility];
    before.len() >= ATTRIBUTE.len()
        && before[before.len() - ATTRIBUTE.len()..].iter().map(|t| t.text.as_str()).eq(ATTRIBUTE)
}
