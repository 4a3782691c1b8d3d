//! Text that can be printed plainly or as LaTeX, and numbers in it.

use serde_json::Value;

use crate::tables::frame::Cell;
use crate::words::grouped;

/// Mathematics in a sentence: how a terminal shows it, and how LaTeX does.
pub(super) fn math(plain: &str, latex: &str) -> String {
    format!("⟦{plain}¦{latex}⟧")
}

/// A sentence for a terminal.
pub(super) fn plain(text: &str) -> String {
    with_mathematics(text, str::to_owned, |plain, _| plain.to_owned())
}

/// A sentence for a document in LaTeX.
pub(super) fn latex(text: &str) -> String {
    with_mathematics(text, escaped, |_, latex| format!("${latex}$"))
}

fn with_mathematics(text: &str, words: fn(&str) -> String, formula: fn(&str, &str) -> String) -> String {
    let mut written = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('⟦') {
        let (inside, after) = after.split_once('⟧').expect("mathematics ends");
        let (plain, latex) = inside.split_once('¦').expect("mathematics is written twice");
        written += &words(before);
        written += &formula(plain, latex);
        rest = after;
    }
    written + &words(rest)
}

/// Words, as LaTeX takes them.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    let mut is_code = false;
    for c in text.chars() {
        match c {
            '\\' => escaped += r"\textbackslash{}",
            '_' | '%' | '&' | '#' | '$' | '{' | '}' => escaped.extend(['\\', c]),
            '~' => escaped += r"\textasciitilde{}",
            '^' => escaped += r"\textasciicircum{}",
            '–' => escaped += "--",
            '“' => escaped += "``",
            '”' => escaped += "''",
            '×' => escaped += r"$\times$",
            '−' => escaped += "$-$",
            '<' => escaped += "$<$",
            '>' => escaped += "$>$",
            '`' => {
                escaped += if is_code { "}" } else { r"\texttt{" };
                is_code = !is_code;
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// A number as it was written or found; large whole ones with commas.
pub(super) fn number(value: f64) -> String {
    if value.fract() == 0.0 && (1000.0..1e15).contains(&value) { grouped(value as u64) } else { value.to_string() }
}

/// What stands in a record, as a number or a word.
pub(super) fn word(value: &Value) -> String {
    match value {
        Value::Number(value) => number(value.as_f64().expect("records have no other numbers")),
        Value::String(word) => word.clone(),
        other => other.to_string(),
    }
}

/// The value of an axis, as it stands in tables.
pub(super) fn cell(value: &Cell) -> String {
    match value {
        Cell::Integer(value) => u64::try_from(*value).map_or_else(|_| value.to_string(), grouped),
        Cell::Null => "none".to_owned(),
        // Among others in a list it would fall apart.
        Cell::Text(word) if word.contains(',') => format!("“{word}”"),
        other => other.to_string(),
    }
}

/// `a`, `a and b`, `a, b and c`
pub(super) fn list<S: AsRef<str>>(items: &[S]) -> String {
    match items {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// `1 run`, `20 runs`
pub(super) fn of(number: usize, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {what}{ending}", grouped(number as u64))
}

/// When something happens: every so many samples where they are even, else one by one.
pub(super) fn when(steps: &[u64]) -> String {
    if let [first, second, .., last] = steps
        && steps.len() > 4
        && steps.windows(2).all(|pair| pair[1] - pair[0] == second - first)
    {
        return format!("every {} samples from {} to {}", grouped(second - first), grouped(*first), grouped(*last));
    }
    format!("after {} samples", counts(steps))
}

/// `1, 2 and 3`
pub(super) fn counts(numbers: &[u64]) -> String {
    list(&numbers.iter().map(|&number| grouped(number)).collect::<Vec<_>>())
}

/// The numbers of a list in a record.
pub(super) fn numbers(value: &Value) -> Vec<u64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_written_in_both_ways() {
        let text = format!("100 % of `bp_oja` with {}", math("|β| = 10", r"|\beta| = 10"));
        assert_eq!(plain(&text), "100 % of `bp_oja` with |β| = 10");
        assert_eq!(latex(&text), r"100 \% of \texttt{bp\_oja} with $|\beta| = 10$");
    }

    #[test]
    fn numbers_are_written_as_in_papers() {
        assert_eq!([999_u64, 5_000, 60_000, 1_234_567].map(grouped), ["999", "5,000", "60,000", "1,234,567"]);
        assert_eq!([0.01, 10_000.0, 10.0, 0.000_316].map(number), ["0.01", "10,000", "10", "0.000316"]);
        assert_eq!(when(&[0, 250, 500, 750, 1000]), "every 250 samples from 0 to 1,000");
        assert_eq!(when(&[4000, 4500, 5000]), "after 4,000, 4,500 and 5,000 samples");
    }
}
