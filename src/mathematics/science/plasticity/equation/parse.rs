//! The text of an equation → its expression: words by `winnow`, precedence as in MATLAB and Octave.
//!
//! From the loosest to the tightest: `+ -`, then `* .* / ./`, then the sign, then `.^ '`.

use std::ops::Range;

use winnow::ascii::{float, multispace0};
use winnow::combinator::{alt, delimited, peek, preceded, repeat};
use winnow::stream::{LocatingSlice, Location, Stream};
use winnow::token::{one_of, take_while};
use winnow::{ModalResult, Parser};

use super::expression::{Expression, Function, Kind, Operator};

/// Parentheses, signs and calls inside each other; deeper than anybody writes, and far from the end of a stack.
const DEEPEST: usize = 64;

/// Bytes of the longest equation.
const LONGEST: usize = 4096;

/// What is wrong, at which bytes of the text, and what would fit.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub span: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}

fn unreadable(span: Range<usize>, message: impl Into<String>) -> Unreadable {
    Unreadable { span, message: message.into(), help: None }
}

#[derive(Clone, Debug, PartialEq)]
enum Word {
    Number(f64),
    Name(String),
    Sign(&'static str),
}

const SIGNS: [&str; 10] = [".*", "./", ".^", "+", "-", "*", "/", "'", "(", ")"];

type Text<'a> = LocatingSlice<&'a str>;

fn number(text: &mut Text<'_>) -> ModalResult<Word> {
    // Neither a sign nor the words that stand for infinities.
    preceded(peek(one_of(|c: char| c.is_ascii_digit() || c == '.')), float).map(Word::Number).parse_next(text)
}

fn name(text: &mut Text<'_>) -> ModalResult<Word> {
    let begins = peek(one_of(|c: char| c.is_ascii_alphabetic() || c == '_'));
    let all = take_while(1.., |c: char| c.is_ascii_alphanumeric() || c == '_');
    preceded(begins, all).map(|name: &str| Word::Name(name.to_owned())).parse_next(text)
}

fn sign(text: &mut Text<'_>) -> ModalResult<Word> {
    alt(SIGNS.map(|sign| sign.value(Word::Sign(sign)))).parse_next(text)
}

/// The words of a text, each with its place.
fn words(text: &str) -> Result<Vec<(Word, Range<usize>)>, Unreadable> {
    if text.len() > LONGEST {
        return Err(unreadable(0..text.len(), format!("an equation has at most {LONGEST} characters")));
    }
    let mut rest = LocatingSlice::new(text);
    // `.*` before a number that begins with its point.
    let word = alt((sign, number, name)).with_span();
    let found: ModalResult<Vec<_>> = repeat(0.., delimited(multispace0, word, multispace0)).parse_next(&mut rest);
    let at = rest.current_token_start();
    match (found, rest.peek_token()) {
        (Ok(words), None) => Ok(words),
        (_, Some('^')) => Err(Unreadable {
            help: Some("Powers are taken element by element: `.^`.".to_owned()),
            ..unreadable(at..at + 1, "`^` is no operator here")
        }),
        (_, Some(character)) => {
            let shown = character.escape_debug();
            Err(unreadable(at..at + character.len_utf8(), format!("`{shown}` has no meaning in an equation")))
        }
        (Err(_), None) => Err(unreadable(at..at, "something is missing here")),
    }
}

/// The expression of a text.
///
/// # Errors
/// It is none; where it stops being one.
pub(super) fn parse(text: &str) -> Result<Expression, Unreadable> {
    let mut parser = Words { words: words(text)?, at: 0, end: text.trim_end().len(), depth: 0 };
    let expression = parser.sum()?;
    match parser.words.get(parser.at) {
        None => Ok(expression),
        Some((Word::Sign(")"), span)) => Err(unreadable(span.clone(), "this parenthesis closes none")),
        Some((_, span)) => Err(Unreadable {
            help: Some("A product is written `*`, or `.*` element by element.".to_owned()),
            ..unreadable(span.clone(), "an operator is missing before this")
        }),
    }
}

struct Words {
    words: Vec<(Word, Range<usize>)>,
    at: usize,
    end: usize,
    depth: usize,
}

impl Words {
    fn sum(&mut self) -> Result<Expression, Unreadable> {
        self.chain(&[("+", Operator::Add), ("-", Operator::Subtract)], Self::product)
    }

    fn product(&mut self) -> Result<Expression, Unreadable> {
        let operators =
            [("*", Operator::Product), (".*", Operator::Times), ("/", Operator::Divide), ("./", Operator::Divide)];
        self.chain(&operators, Self::signed)
    }

    /// Operands of one precedence, from left to right.
    fn chain(
        &mut self,
        operators: &[(&str, Operator)],
        operand: fn(&mut Self) -> Result<Expression, Unreadable>,
    ) -> Result<Expression, Unreadable> {
        let mut left = operand(self)?;
        let mut links = 0;
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.is_at(sign)) {
            links += 1;
            if links > DEEPEST {
                return Err(self.too_deep());
            }
            let place = self.here();
            self.at += 1;
            let right = operand(self)?;
            let span = left.span.start..right.span.end;
            left = Expression { kind: Kind::Binary(*operator, place, Box::new(left), Box::new(right)), span };
        }
        Ok(left)
    }

    fn signed(&mut self) -> Result<Expression, Unreadable> {
        let place = self.here();
        if self.is_at("+") {
            self.at += 1;
            return self.deeper(Self::signed);
        }
        if !self.is_at("-") {
            return self.postfixed();
        }
        self.at += 1;
        let inner = self.deeper(Self::signed)?;
        let span = place.start..inner.span.end;
        Ok(Expression { kind: Kind::Negative(Box::new(inner)), span })
    }

    fn postfixed(&mut self) -> Result<Expression, Unreadable> {
        let mut inner = self.operand()?;
        let mut links = 0;
        loop {
            links += 1;
            if links > DEEPEST {
                return Err(self.too_deep());
            }
            let place = self.here();
            if self.is_at("'") {
                self.at += 1;
                let span = inner.span.start..place.end;
                inner = Expression { kind: Kind::Transpose(Box::new(inner)), span };
            } else if self.is_at(".^") {
                self.at += 1;
                let exponent = self.here();
                let Some((Word::Number(power), _)) = self.words.get(self.at) else {
                    return Err(unreadable(exponent, "a power is a whole number from 2 to 8"));
                };
                if power.fract() != 0.0 || !(2.0..=8.0).contains(power) {
                    return Err(unreadable(
                        exponent,
                        format!("{power} is no power: they are whole numbers from 2 to 8"),
                    ));
                }
                let power = *power as u32;
                self.at += 1;
                let span = inner.span.start..exponent.end;
                inner = Expression { kind: Kind::Power(Box::new(inner), power), span };
            } else {
                return Ok(inner);
            }
        }
    }

    fn operand(&mut self) -> Result<Expression, Unreadable> {
        let Some((word, span)) = self.words.get(self.at).cloned() else {
            return Err(unreadable(self.end..self.end, "something is missing here: the equation ends too early"));
        };
        self.at += 1;
        match word {
            Word::Number(value) if value.is_finite() && (value as f32).is_finite() => {
                Ok(Expression { kind: Kind::Number(value), span })
            }
            Word::Number(value) => {
                Err(unreadable(span, format!("{value} is beyond the numbers that weights can have")))
            }
            Word::Name(name) if self.is_at("(") => {
                let Some(function) = Function::named(&name) else {
                    let all: Vec<String> = Function::ALL.iter().map(|f| format!("`{}`", f.name())).collect();
                    return Err(Unreadable {
                        help: Some(format!(
                            "There are {}. A product with a sum is written `{name} * (…)`.",
                            all.join(", ")
                        )),
                        ..unreadable(span, format!("there is no function `{name}`"))
                    });
                };
                let (inner, end) = self.parenthesis()?;
                Ok(Expression { kind: Kind::Call(function, Box::new(inner)), span: span.start..end })
            }
            Word::Name(name) => match Function::named(&name) {
                Some(_) => Err(unreadable(span, format!("`{name}` is a function: `{name}(…)`"))),
                None => Ok(Expression { kind: Kind::Name(name), span }),
            },
            Word::Sign("(") => {
                self.at -= 1;
                let (inner, end) = self.parenthesis()?;
                Ok(Expression { span: span.start..end, ..inner })
            }
            Word::Sign(sign) => {
                let message = match sign {
                    ")" => "something is missing before this parenthesis".to_owned(),
                    "'" => "`'` transposes what stands before it, and nothing does".to_owned(),
                    sign => format!("`{sign}` needs something on its left"),
                };
                Err(unreadable(span, message))
            }
        }
    }

    /// What stands in parentheses, and where they end.
    fn parenthesis(&mut self) -> Result<(Expression, usize), Unreadable> {
        let opened = self.here();
        self.at += 1;
        let inner = self.deeper(Self::sum)?;
        let closed = self.here();
        if !self.is_at(")") {
            return Err(match self.words.get(self.at) {
                None => unreadable(opened, "this parenthesis is never closed"),
                Some((_, span)) => unreadable(span.clone(), "an operator or `)` is missing before this"),
            });
        }
        self.at += 1;
        Ok((inner, closed.end))
    }

    fn deeper(&mut self, inner: fn(&mut Self) -> Result<Expression, Unreadable>) -> Result<Expression, Unreadable> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.too_deep());
        }
        let found = inner(self);
        self.depth -= 1;
        found
    }

    fn too_deep(&self) -> Unreadable {
        unreadable(self.here(), format!("more than {DEEPEST} operations inside each other or in one chain"))
    }

    fn is_at(&self, sign: &str) -> bool {
        matches!(self.words.get(self.at), Some((Word::Sign(found), _)) if *found == sign)
    }

    fn here(&self) -> Range<usize> {
        self.words.get(self.at).map_or(self.end..self.end, |(_, span)| span.clone())
    }
}
