//! Rust text → words and marks, with their lines. Comments and texts are gone.

/// A token: a word, `::`, or one other mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

impl Token {
    /// An identifier or keyword.
    pub fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// The tokens of a file.
pub fn tokens(text: &str) -> Vec<Token> {
    let text: Vec<char> = text.chars().collect();
    let at = |index: usize| text.get(index).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut found, mut here, mut line) = (Vec::new(), 0, 1);
    while here < text.len() {
        let start = here;
        let mut token = None;
        match at(here) {
            '/' if at(here + 1) == '/' => here = end_of_line(&text, here),
            '/' if at(here + 1) == '*' => here = end_of_comment(&text, here),
            '"' => here = end_of_text(&text, here),
            // A lifetime, unless a quote closes it: `'a` and `'a'`.
            '\'' if at(here + 1) != '\\' && at(here + 2) != '\'' => here += 1,
            '\'' => here = end_of_character(&text, here),
            c if is_word(c) => {
                while is_word(at(here)) {
                    here += 1;
                }
                let word: String = text[start..here].iter().collect();
                let raw = matches!(word.as_str(), "r" | "br" | "cr") && matches!(at(here), '"' | '#');
                if raw && let Some(end) = end_of_raw_text(&text, here) {
                    here = end;
                } else if !(matches!(word.as_str(), "b" | "c") && matches!(at(here), '"' | '\'')) {
                    token = Some(word);
                }
            }
            ':' if at(here + 1) == ':' => {
                here += 2;
                token = Some("::".into());
            }
            c => {
                here += 1;
                token = (!c.is_whitespace()).then(|| c.to_string());
            }
        }
        found.extend(token.map(|text| Token { text, line }));
        line += text[start..here.min(text.len())].iter().filter(|c| **c == '\n').count();
    }
    found
}

fn end_of_line(text: &[char], from: usize) -> usize {
    (from..text.len()).find(|&index| text[index] == '\n').unwrap_or(text.len())
}

/// Comments nest.
fn end_of_comment(text: &[char], from: usize) -> usize {
    let (mut depth, mut here) = (0, from);
    while here + 1 < text.len() {
        match (text[here], text[here + 1]) {
            ('/', '*') => (depth, here) = (depth + 1, here + 2),
            ('*', '/') if depth == 1 => return here + 2,
            ('*', '/') => (depth, here) = (depth - 1, here + 2),
            _ => here += 1,
        }
    }
    text.len()
}

fn end_of_text(text: &[char], from: usize) -> usize {
    end_of_quoted(text, from, '"')
}

fn end_of_character(text: &[char], from: usize) -> usize {
    end_of_quoted(text, from, '\'')
}

fn end_of_quoted(text: &[char], from: usize, quote: char) -> usize {
    let mut here = from + 1;
    while here < text.len() {
        match text[here] {
            '\\' => here += 2,
            c if c == quote => return here + 1,
            _ => here += 1,
        }
    }
    text.len()
}

/// After the hashes and quotes of `r##"…"##`; none for a raw identifier, `r#type`.
fn end_of_raw_text(text: &[char], from: usize) -> Option<usize> {
    let hashes = text[from..].iter().take_while(|c| **c == '#').count();
    let begin = from + hashes;
    if text.get(begin) != Some(&'"') {
        return None;
    }
    let closes = |index: &usize| {
        text[*index] == '"' && text[index + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    Some((begin + 1..text.len()).find(closes).map_or(text.len(), |end| end + 1 + hashes))
}
