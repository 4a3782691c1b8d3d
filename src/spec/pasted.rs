//! Characters that look like those of TOML and are others: they come with text copied from papers, mails and word
//! processors, and on most screens nobody can tell them apart.

/// The first such character in `text`: its place, and what to say of it.
pub(super) fn find(text: &str) -> Option<(std::ops::Range<usize>, String)> {
    text.char_indices().find_map(|(at, c)| {
        let (what, instead) = known(c)?;
        Some((at..at + c.len_utf8(), format!("this is U+{:04X}, {what}, not {instead}", u32::from(c))))
    })
}

/// The word of a document in which a syntax error was found at byte `at`: as far as a blank or a quotation mark of TOML,
/// so that nothing inside a string is taken for the fault.
pub(super) fn word(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    let ends = |c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\'' | '#');
    rest.split(ends).next().unwrap_or_default()
}

/// What a character is, and what was meant.
fn known(c: char) -> Option<(&'static str, &'static str)> {
    const DOUBLE: &str = "`\"`";
    const SINGLE: &str = "`'`";
    Some(match c {
        '\u{2212}' => ("a minus sign", "`-`"),
        '\u{2010}' | '\u{2011}' | '\u{FE63}' | '\u{FF0D}' => ("a hyphen", "`-`"),
        '\u{2012}' | '\u{2013}' => ("a dash", "`-`"),
        '\u{2014}' | '\u{2015}' => ("a long dash", "`-`"),
        '\u{201C}'..='\u{201F}' | '\u{00AB}' | '\u{00BB}' | '\u{2033}' | '\u{FF02}' => ("a quotation mark", DOUBLE),
        '\u{2018}'..='\u{201B}' | '\u{2032}' | '\u{00B4}' | '\u{FF07}' => ("a single quotation mark", SINGLE),
        '\u{00A0}' | '\u{202F}' => ("a no-break space", "a plain space"),
        '\u{2000}'..='\u{200A}' | '\u{205F}' | '\u{3000}' => ("a space of print", "a plain space"),
        '\u{200B}'..='\u{200D}' | '\u{2060}' => ("a character of no width", "to be seen: delete it"),
        '\u{FEFF}' => ("a byte order mark", "in its place, the beginning of a file: delete it"),
        '\u{FF1D}' => ("a wide equals sign", "`=`"),
        '\u{FF0C}' | '\u{3001}' => ("a wide comma", "`,`"),
        '\u{FF0E}' | '\u{00B7}' => ("a dot of another kind", "`.`"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_only_looks_right_is_named_with_its_place() {
        let said = |text: &str| find(text).map(|(place, said)| (place.start, said));
        assert_eq!(said("1e−3"), Some((2, "this is U+2212, a minus sign, not `-`".into())));
        assert_eq!(said("“x”"), Some((0, "this is U+201C, a quotation mark, not `\"`".into())));
        assert_eq!(said("a\u{a0}b"), Some((1, "this is U+00A0, a no-break space, not a plain space".into())));
        assert_eq!(said("-3 \"é\" ü"), None);
    }

    #[test]
    fn what_stands_in_a_string_is_nobodys_fault() {
        assert_eq!(word("x = 1e−3 # –", 4), "1e−3");
        assert_eq!(word("bp\"a–b\"", 0), "bp");
        assert_eq!(word("−", 1), "", "inside a character there is no word");
    }
}
