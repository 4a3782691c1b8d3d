//! Lines that are too long for a terminal, broken between words: the terminal would break them anywhere.

/// Columns below which nothing is folded.
const NARROWEST: usize = 20;

/// Long lines broken at blanks, what follows set in under the beginning of the line. Where there is a choice, a number keeps
/// its unit, an equals sign its sides, and brackets what is in them. Lines of a file that are shown to be read with what is
/// underlined in them stay as they are.
pub(super) fn folded(text: &str, width: usize) -> String {
    if width < NARROWEST {
        return text.to_owned();
    }
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let mut rest = line.to_owned();
        if let Some(beginning) = beginning_of_rest(line, width) {
            while let Some(at) = break_at(&rest, width) {
                lines.push(rest[..at].trim_end().to_owned());
                rest = format!("{beginning}{}", rest[at..].trim_start());
            }
        }
        lines.push(rest);
    }
    lines.join("\n")
}

/// What the rest of a broken line begins with; none for lines that are not broken.
fn beginning_of_rest(line: &str, width: usize) -> Option<String> {
    let indent = " ".repeat((blanks(line) + 2).min(width / 2));
    let mut seen = visible(line).map(|(_, c)| c).skip_while(|c| *c == ' ').peekable();
    let is_numbered = seen.peek().is_some_and(char::is_ascii_digit);
    match seen.find(|c| !c.is_ascii_digit() && *c != ' ')? {
        // The frame of an excerpt, what is underlined in it, and its numbered lines.
        '╭' | '╰' | '·' => None,
        '│' if is_numbered => None,
        // A message of several lines.
        '│' => Some(format!("{}│{indent}", " ".repeat(blanks(line)))),
        _ => Some(indent),
    }
}

fn blanks(line: &str) -> usize {
    line.chars().take_while(|c| *c == ' ').count()
}

/// The characters that take room, each with its place: colours do not.
fn visible(line: &str) -> impl Iterator<Item = (usize, char)> {
    let mut is_colour = false;
    line.char_indices().filter(move |(_, c)| {
        is_colour |= *c == '\x1b';
        let shown = !is_colour;
        is_colour &= *c != 'm';
        shown
    })
}

/// Where a line that is wider than `width` is broken: at the last good blank that fits, else at the last one that fits, else
/// at the first one.
fn break_at(line: &str, width: usize) -> Option<usize> {
    let characters: Vec<(usize, char)> = visible(line).collect();
    if characters.len() <= width {
        return None;
    }
    let text = characters.iter().position(|(_, c)| !matches!(c, ' ' | '│'))?;
    let (mut good, mut any, mut brackets) = (None, None, 0_i32);
    for (column, &(at, c)) in characters.iter().enumerate().skip(text) {
        if column > width && any.is_some() {
            break;
        }
        brackets += i32::from(c == '[') - i32::from(c == ']');
        if c != ' ' {
            continue;
        }
        let before = characters[column - 1].1;
        let after = characters[column..].iter().map(|(_, c)| *c).find(|c| *c != ' ');
        let binds = brackets > 0
            || before == '='
            || after == Some('=')
            || before.is_ascii_digit() && after.is_some_and(char::is_alphabetic);
        any = Some(at);
        if !binds {
            good = Some(at);
        }
    }
    good.or(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, width: usize) -> Vec<String> {
        folded(text, width).lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_claim_keeps_its_interval_and_its_conditions_whole() {
        let claim = "       yes  0.7391 [0.7149, 0.7322]              layer = 1, step = 600: more than 0.2";
        assert_eq!(
            lines(claim, 60),
            ["       yes  0.7391 [0.7149, 0.7322]              layer = 1,", "         step = 600: more than 0.2"]
        );
        assert_eq!(
            lines(claim, 28),
            [
                "       yes  0.7391",
                "         [0.7149, 0.7322]",
                "         layer = 1,",
                "         step = 600: more",
                "         than 0.2"
            ]
        );
    }

    #[test]
    fn no_word_is_torn_apart_and_every_line_fits() {
        let listing = "fig4  Figure 4     66  Oja's rule enhances data variance extraction across hidden layers";
        for width in [20, 33, 40, 79, 100] {
            let shown = folded(listing, width);
            assert!(shown.lines().all(|line| line.chars().count() <= width), "{shown}");
            assert!(shown.split_whitespace().eq(listing.split_whitespace()), "{shown}");
        }
        assert_eq!(
            lines("a_word_that_is_longer_than_the_line and more", 22),
            ["a_word_that_is_longer_than_the_line", "  and more"]
        );
        assert_eq!(
            lines("layers [784, 170, 150, 130, 120, 10]", 24),
            ["layers", "  [784, 170, 150, 130,", "  120, 10]"]
        );
    }

    #[test]
    fn a_number_keeps_its_unit() {
        assert_eq!(
            lines("activations                   6   816.1 kB  smoke", 40),
            ["activations                   6", "  816.1 kB  smoke"]
        );
    }

    #[test]
    fn what_fits_stays_as_it_is_and_colours_take_no_room() {
        for text in ["short\n\nlines", "short\n", ""] {
            assert_eq!(folded(text, 40), text);
        }
        assert_eq!(
            lines("\x1b[32mholds\x1b[0m and what it is about", 25),
            ["\x1b[32mholds\x1b[0m and what it is", "  about"]
        );
    }

    #[test]
    fn of_a_fault_the_message_is_folded_and_the_excerpt_is_not() {
        let fault = "  × own.toml:23:11: there is no data set `mnist`\n  │   remedy:   correct the name, or add the set\n   \
                     ╭─[a/path/that/is/rather/long/own.toml:23:11]\n 23 │ dataset = \"mnist\"   # with a comment\n    \
                     ·           ───────  and what is said of it\n    ╰────\n  help: Choose another one that there is.";
        assert_eq!(
            lines(fault, 32),
            [
                "  × own.toml:23:11: there is no",
                "    data set `mnist`",
                "  │   remedy:   correct the",
                "  │    name, or add the set",
                "   ╭─[a/path/that/is/rather/long/own.toml:23:11]",
                " 23 │ dataset = \"mnist\"   # with a comment",
                "    ·           ───────  and what is said of it",
                "    ╰────",
                "  help: Choose another one that",
                "    there is.",
            ]
        );
    }
}
