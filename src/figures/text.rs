//! Text with sub- and superscripts: parsed once, measured with the font's widths, wrapped.

use super::font::Face;

/// Size of sub- and superscripts relative to their text, and how far they leave the baseline (in em of the text).
///
/// In a caption, the smallest text, that is 5.07 points: journals want 5 at least.
pub(super) const SCRIPT_SIZE: f64 = 0.78;
const RAISE: f64 = 0.36;
const LOWER: f64 = 0.17;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Base,
    Sub,
    Super,
}

impl Level {
    /// Upwards, in em of the surrounding text.
    pub(super) fn shift(self) -> f64 {
        match self {
            Self::Base => 0.0,
            Self::Sub => -LOWER,
            Self::Super => RAISE,
        }
    }

    pub(super) fn size(self) -> f64 {
        if self == Self::Base { 1.0 } else { SCRIPT_SIZE }
    }
}

/// A stretch of characters in one face and at one level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub text: String,
    pub face: Face,
    pub level: Level,
}

/// Splits `y₁`, `10⁻³`, `W_{ℓ-1,ℓ}` into runs. A brace that is never closed is an ordinary character.
pub(super) fn runs(text: &str, face: Face) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut push = |character: char, level: Level| match runs.last_mut() {
        Some(run) if run.level == level => run.text.push(character),
        _ => runs.push(Run { text: character.to_string(), face, level }),
    };
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        let braced = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        match (character, braced) {
            ('_' | '^', Some((inside, after))) => {
                let level = if character == '_' { Level::Sub } else { Level::Super };
                inside.chars().for_each(|c| push(if c == '-' { '−' } else { c }, level));
                rest = after;
            }
            _ => match script(character) {
                Some((level, plain)) => push(plain, level),
                None => push(character, Level::Base),
            },
        }
    }
    set_variables_in_italics(runs)
}

/// A Unicode sub- or superscript as the ordinary character that it repeats.
fn script(character: char) -> Option<(Level, char)> {
    const SUPER: &str = "⁰0¹1²2³3⁴4⁵5⁶6⁷7⁸8⁹9⁺+⁻−⁼=⁽(⁾)ⁿnⁱiᵀT⊤T";
    const SUB: &str = "₀0₁1₂2₃3₄4₅5₆6₇7₈8₉9₊+₋−₌=₍(₎)ₙnᵢiⱼjₖkₗℓₜtₓxₕhₒo";
    let find = |table: &str| {
        let mut characters = table.chars();
        while let (Some(from), Some(to)) = (characters.next(), characters.next()) {
            if from == character {
                return Some(to);
            }
        }
        None
    };
    find(SUPER).map(|to| (Level::Super, to)).or_else(|| find(SUB).map(|to| (Level::Sub, to)))
}

/// A lone letter before a subscript is a variable (`y₁`, `θ₀`); several letters are a word or a formula (`CO₂`).
fn set_variables_in_italics(runs: Vec<Run>) -> Vec<Run> {
    let mut set: Vec<Run> = Vec::with_capacity(runs.len());
    for (i, run) in runs.iter().enumerate() {
        let before_subscript = runs.get(i + 1).is_some_and(|next| next.level == Level::Sub);
        let mut backwards = run.text.chars().rev();
        match (backwards.next(), backwards.next()) {
            (Some(letter), before)
                if run.level == Level::Base
                    && run.face == Face::Regular
                    && before_subscript
                    && letter.is_alphabetic()
                    && Face::Italic.has(letter)
                    && !before.is_some_and(char::is_alphanumeric) =>
            {
                let head = &run.text[..run.text.len() - letter.len_utf8()];
                if !head.is_empty() {
                    set.push(Run { text: head.to_string(), ..run.clone() });
                }
                set.push(Run { text: letter.to_string(), face: Face::Italic, level: Level::Base });
            }
            _ => set.push(run.clone()),
        }
    }
    set
}

/// The same without typesetting: `y_1`, `10^−3`.
pub(super) fn plain(text: &str) -> String {
    let run = |run: Run| match run.level {
        Level::Base => run.text,
        Level::Sub => format!("_{}", run.text),
        Level::Super => format!("^{}", run.text),
    };
    runs(text, Face::Regular).into_iter().map(run).collect()
}

/// Width at a font size, without kerning (which in this font mostly tightens).
pub(super) fn width(text: &str, face: Face, size: f64) -> f64 {
    let run_width = |run: &Run| run.text.chars().map(|c| run.face.advance(c)).sum::<f64>() * run.level.size();
    size * runs(text, face).iter().map(run_width).sum::<f64>()
}

/// How much wider a line may come out in a program that ignores the embedded font and takes another (DejaVu Sans,
/// the usual one on Linux).
const ANOTHER_FONT: f64 = 1.08;

/// Lines of at most `limit` in width, broken at spaces and at `\n`; a word that is wider than that keeps its own line.
pub(super) fn wrap(text: &str, face: Face, size: f64, limit: f64) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let longer = if line.is_empty() { word.to_string() } else { format!("{line} {word}") };
            if line.is_empty() || ANOTHER_FONT * width(&longer, face, size) <= limit {
                line = longer;
            } else {
                lines.push(std::mem::replace(&mut line, word.to_string()));
            }
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<(String, Face, Level)> {
        runs(text, Face::Regular).into_iter().map(|run| (run.text, run.face, run.level)).collect()
    }

    #[test]
    fn subscripts_superscripts_and_variables() {
        use Face::{Italic, Regular};
        use Level::{Base, Sub, Super};
        let run = |text: &str, face, level| (text.to_string(), face, level);
        assert_eq!(shown("10⁻³"), [run("10", Regular, Base), run("−3", Regular, Super)]);
        assert_eq!(
            shown("norm of y₁"),
            [run("norm of ", Regular, Base), run("y", Italic, Base), run("1", Regular, Sub)]
        );
        assert_eq!(shown("W_{ℓ-1}"), [run("W", Italic, Base), run("ℓ−1", Regular, Sub)]);
        assert_eq!(shown("CO₂"), [run("CO", Regular, Base), run("2", Regular, Sub)]);
        assert_eq!(shown("bp_oja ^{"), [run("bp_oja ^{", Regular, Base)]);
        assert_eq!(shown(""), []);
    }

    #[test]
    fn without_typesetting_scripts_are_marked() {
        assert_eq!(plain("norm of y₁ at 10⁻³, W_{ℓ-1,ℓ}"), "norm of y_1 at 10^−3, W_ℓ−1,ℓ");
    }

    #[test]
    fn wrapped_lines_fit_and_lose_no_word() {
        let text = "Mean over 20 runs; shaded, 98 % bootstrap interval of the mean.\nMNIST.";
        let lines = wrap(text, Face::Regular, 7.0, 90.0);
        assert!(lines.len() > 2 && lines.iter().all(|line| width(line, Face::Regular, 7.0) <= 90.0), "{lines:?}");
        assert_eq!(lines.join(" ").split_whitespace().count(), text.split_whitespace().count());
        assert_eq!(wrap("unbreakable", Face::Regular, 7.0, 3.0), ["unbreakable"]);
    }
}
