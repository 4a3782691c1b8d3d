//! What is wrong with a request, at the place where a person wrote it.

use std::ops::Range;
use std::sync::Arc;

/// A text that positions refer to: a pipeline file, or the `--set` option it was overridden with.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// What a message calls it: `pipelines/fig4.toml`, `--set`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// A range of bytes in a source.
#[derive(Clone, Debug)]
pub struct Span {
    /// The text.
    pub source: Arc<Source>,
    /// The bytes of it.
    pub range: Range<usize>,
}

/// A fault in a request, at the place where it was written.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What is wrong, and what could stand there instead.
    pub message: String,
    /// Where, if a place can be blamed.
    pub span: Option<Span>,
    /// What to do about it, where that is known.
    pub help: Option<String>,
}

impl Span {
    /// The text that this span covers; nothing where its ends do not stand between characters of the source.
    pub fn text(&self) -> &str {
        self.source.text.get(self.range.clone()).unwrap_or_default()
    }

    /// What of the source is underlined: whole characters, at least one where there is one, on one line. A table's span is
    /// its whole text, of which the first line is enough to find it.
    pub fn underlined(&self) -> Range<usize> {
        let text = &self.source.text;
        let mut start = self.range.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let one = text[start..].chars().next().map_or(0, char::len_utf8);
        let mut end = self.range.end.clamp(start + one, text.len().max(start + one));
        while !text.is_char_boundary(end) {
            end += 1;
        }
        start..start + text[start..end].find('\n').unwrap_or(end - start)
    }

    /// The place of a part of the text that this span covers; the whole span where the text is not there as such.
    pub fn narrowed(&self, part: &str) -> Self {
        let text = self.text();
        let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let found = text.match_indices(part).find(|(start, part)| {
            !is_word(text[..*start].chars().next_back()) && !is_word(text[start + part.len()..].chars().next())
        });
        match found {
            Some((start, part)) if !part.is_empty() => {
                let start = self.range.start + start;
                Self { source: self.source.clone(), range: start..start + part.len() }
            }
            _ => self.clone(),
        }
    }

    /// The word that begins at byte `offset` of `content`, the string that this span was read as; none where escapes make
    /// the written text another.
    pub fn part_at(&self, content: &str, offset: usize) -> Option<Self> {
        let start = self.range.start + self.text().find(content)? + offset;
        let rest = self.source.text.get(start..self.range.end)?;
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        Some(Self { source: self.source.clone(), range: start..start + length })
    }

    /// The bytes `part` of `content`, the string that this span was read as; the whole span where escapes make the written
    /// text another.
    pub fn within(&self, content: &str, part: Range<usize>) -> Self {
        let Some(start) = self.text().find(content).filter(|_| !content.is_empty()) else { return self.clone() };
        let start = self.range.start + start;
        let end = content.len();
        let range = start + part.start.min(end)..start + part.end.min(end);
        Self { source: self.source.clone(), range }
    }

    /// Whether both cover the same bytes of the same text.
    pub fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.source, &other.source) && self.range == other.range
    }
}

impl Fault {
    /// A fault at a place.
    pub fn at(span: &Span, message: impl Into<String>) -> Self {
        Self { message: message.into(), span: Some(span.clone()), help: None }
    }

    /// The same, with what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
