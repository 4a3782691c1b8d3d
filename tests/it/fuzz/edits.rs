//! What happens to a sound text or file on its way: slips of the keyboard, pastes, cuts, flipped bits.

use std::ops::Range;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::Input;

/// Pieces that have meant trouble somewhere, and pieces of the language that may stand in the wrong place.
pub const PIECES: &[&str] = &[
    // Slips that look like what was meant.
    "\u{2212}",
    "\u{a0}",
    "\u{201c}",
    "\u{201d}",
    "\u{2019}",
    "\u{feff}",
    "\u{200b}",
    "\u{202e}",
    "é",
    "e\u{301}",
    "𝟙",
    "日本",
    "\u{1F9E0}",
    "\u{0}",
    "\u{1b}[31m",
    "\t",
    "\r",
    "\r\n",
    "\n",
    " ",
    // Numbers at the ends of their types, and what is none.
    "0",
    "-1",
    "1",
    "2",
    "1e3",
    "-0.0",
    "0.5",
    "1e308",
    "1e309",
    "-1e308",
    "1e-320",
    "nan",
    "inf",
    "-inf",
    "255",
    "256",
    "65536",
    "4294967295",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "0x7f",
    "1_000",
    "1979-05-27",
    "07:32:00",
    // Values of another shape.
    "true",
    "\"\"",
    "\"x\"",
    "'x'",
    "\"bp\"",
    "\"../x\"",
    "\"a b\"",
    "[]",
    "[[]]",
    "{}",
    "[1, 2]",
    "[1, \"x\"]",
    "{ x = 1 }",
    "{ every = 0 }",
    "{ every = 7 }",
    "{ first = 0, count = 3 }",
    "{ from = 1e-4, to = 1e-1, count = 3, spacing = \"log\" }",
    "\"\\u0041\"",
    "\"\"\"",
    "'''",
    // Punctuation and headings.
    "=",
    ".",
    ",",
    "[",
    "]",
    "{",
    "}",
    "#",
    "\"",
    "'",
    "\\",
    "[[",
    "]]",
    "[matrix]",
    "[stages.x]",
    "[[claims]]",
    "kind = \"train\"",
    "kind = \"sql\"",
    "keep = false",
    "of = \"train\"",
    "seed",
    "rule",
    "layer",
    "step",
    "stages",
    "matrix",
];

/// One change of a text. Places are counted modulo how many there are.
#[derive(Clone, Debug)]
pub enum Slip {
    /// A word, a number, a string or a sign becomes a piece.
    Replace(usize, usize),
    /// A piece is typed in front of one.
    Insert(usize, usize),
    /// One becomes another one of the same text.
    Copy(usize, usize),
    /// One is gone.
    Delete(usize),
    /// A character becomes another one.
    Character(usize, char),
    /// Two lines change places.
    Swap(usize, usize),
    /// A line stands there twice.
    Double(usize),
    /// A line is gone.
    Lose(usize),
    /// The text ends here.
    Cut(usize),
}

pub fn slips() -> impl Strategy<Value = Vec<Slip>> {
    let place = || 0_usize..5000;
    let piece = || 0..PIECES.len();
    let slip = prop_oneof![
        5 => (place(), piece()).prop_map(|(at, piece)| Slip::Replace(at, piece)),
        3 => (place(), piece()).prop_map(|(at, piece)| Slip::Insert(at, piece)),
        4 => (place(), place()).prop_map(|(at, from)| Slip::Copy(at, from)),
        2 => place().prop_map(Slip::Delete),
        2 => (place(), any::<char>()).prop_map(|(at, other)| Slip::Character(at, other)),
        1 => (place(), place()).prop_map(|(a, b)| Slip::Swap(a, b)),
        1 => place().prop_map(Slip::Double),
        1 => place().prop_map(Slip::Lose),
        1 => place().prop_map(Slip::Cut),
    ];
    prop::collection::vec(slip, 1..5)
}

/// The text after all slips.
pub fn slipped(text: &str, slips: &[Slip]) -> String {
    slips.iter().fold(text.to_owned(), |text, slip| slip.apply(&text))
}

impl Slip {
    fn apply(&self, text: &str) -> String {
        let words = words(text);
        if words.is_empty() {
            return PIECES[0].to_owned();
        }
        let word = |at: usize| words[at % words.len()].clone();
        let mut text = text.to_owned();
        let mut lines: Vec<&str> = Vec::new();
        if matches!(self, Self::Swap(..) | Self::Double(_) | Self::Lose(_)) {
            lines = text.split_inclusive('\n').collect();
        }
        let n_lines = lines.len().max(1);
        match *self {
            Self::Replace(at, piece) => text.replace_range(word(at), PIECES[piece]),
            Self::Insert(at, piece) => text.insert_str(word(at).start, PIECES[piece]),
            Self::Copy(at, from) => {
                let other = text[word(from)].to_owned();
                text.replace_range(word(at), &other);
            }
            Self::Delete(at) => text.replace_range(word(at), ""),
            Self::Character(at, other) => {
                let (place, old) = text.char_indices().nth(at % text.chars().count()).expect("a text with words");
                text.replace_range(place..place + old.len_utf8(), other.encode_utf8(&mut [0; 4]));
            }
            Self::Cut(at) => text.truncate(word(at).start),
            Self::Swap(a, b) => {
                lines.swap(a % n_lines, b % n_lines);
                return lines.concat();
            }
            Self::Double(at) => {
                lines.insert(at % n_lines, lines[at % n_lines]);
                return lines.concat();
            }
            Self::Lose(at) => {
                lines.remove(at % n_lines);
                return lines.concat();
            }
        }
        text
    }
}

/// Where words, numbers, strings and signs stand.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((start, first)) = rest.next() {
        let in_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '.');
        let mut end = start + first.len_utf8();
        let mut take = |goes_on: &mut dyn FnMut(char) -> bool| {
            while let Some((at, c)) = rest.next_if(|(_, c)| goes_on(*c)) {
                end = at + c.len_utf8();
            }
        };
        match first {
            '"' | '\'' => {
                let mut open = true;
                take(&mut |c| {
                    let goes_on = open && c != '\n';
                    open &= c != first;
                    goes_on
                });
            }
            c if c.is_whitespace() => continue,
            c if in_word(c) => take(&mut |c| in_word(c)),
            _ => {}
        }
        found.push(start..end);
    }
    found
}

/// One change of bytes. Places are counted modulo the length.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Edit {
    /// Other bits in a byte.
    Flip(usize, u8),
    /// Four bytes become a number, the highest first.
    Number(usize, u32),
    /// Bytes are gone.
    Delete(usize, usize),
    /// Bytes are there that were not.
    Insert(usize, Vec<u8>),
    /// Bytes stand in a second place as well.
    Copy(usize, usize, usize),
    /// It ends here.
    Cut(usize),
    /// Zeros, as a disk leaves them.
    Zero(usize, usize),
    /// Nothing is left.
    Empty,
}

/// Files by their numbers, modulo how many there are, with what happens to each.
pub type Damage = Vec<(usize, Edit)>;

impl Input for Damage {
    fn to_file(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("plain data")
    }

    fn from_file(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).expect("a corpus of edits")
    }
}

pub fn edit() -> impl Strategy<Value = Edit> {
    // Headers and trailers matter more than what lies between.
    let place = || {
        prop_oneof![
            0_usize..32,
            any::<usize>().prop_map(|at| at % (1 << 24)),
            (1_usize..64).prop_map(|n| usize::MAX - n)
        ]
    };
    let numbers =
        [0, 1, 2, 27, 28, 29, 0x0801, 0x0803, 0xffff, 1 << 21, (1 << 21) + 1, 0x7fff_ffff, 0x8000_0000, u32::MAX];
    prop_oneof![
        6 => (place(), 1_u8..).prop_map(|(at, bits)| Edit::Flip(at, bits)),
        3 => (place(), prop::sample::select(numbers.to_vec())).prop_map(|(at, number)| Edit::Number(at, number)),
        2 => (place(), 1_usize..600).prop_map(|(at, n)| Edit::Delete(at, n)),
        2 => (place(), prop::collection::vec(any::<u8>(), 1..40)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        2 => (place(), place(), 1_usize..600).prop_map(|(at, from, n)| Edit::Copy(at, from, n)),
        1 => place().prop_map(Edit::Cut),
        1 => (place(), 1_usize..4096).prop_map(|(at, n)| Edit::Zero(at, n)),
        1 => Just(Edit::Empty),
    ]
}

pub fn damage() -> impl Strategy<Value = Damage> {
    prop::collection::vec((0_usize..64, edit()), 1..5)
}

impl Edit {
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        // Places near the largest number are counted from the end.
        let place = |at: usize| match usize::MAX - at {
            from_end if from_end < 64 => length.saturating_sub(from_end),
            _ => at % length.max(1),
        };
        let range = |at: usize, n: usize| place(at).min(length)..(place(at) + n).min(length);
        match *self {
            Self::Flip(at, bits) => {
                if let Some(byte) = bytes.get_mut(place(at)) {
                    *byte ^= bits;
                }
            }
            Self::Number(at, number) => {
                let range = range(at, 4);
                let n = range.len();
                bytes[range].copy_from_slice(&number.to_be_bytes()[..n]);
            }
            Self::Delete(at, n) => drop(bytes.drain(range(at, n))),
            Self::Insert(at, ref new) => drop(bytes.splice(range(at, 0), new.iter().copied())),
            Self::Copy(at, from, n) => {
                let copied = bytes[range(from, n)].to_vec();
                bytes.splice(range(at, 0), copied);
            }
            Self::Cut(at) => bytes.truncate(place(at)),
            Self::Zero(at, n) => bytes[range(at, n)].fill(0),
            Self::Empty => bytes.clear(),
        }
    }
}
