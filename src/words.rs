//! Numbers and lists as messages and pages write them.

use std::path::Path;

/// `a`, `b`, `c` — how messages name what can be chosen.
pub fn choices<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// What could stand in the place of `word`, the likeliest first: ``there are: `a`, `b` ``, or, where one of them is a slip
/// of the keyboard away, ``did you mean `a`? There are: `a`, `b` ``.
pub fn instead_of<S: AsRef<str>>(word: &str, names: impl IntoIterator<Item = S>) -> String {
    let names: Vec<S> = names.into_iter().collect();
    let there = choices(&names);
    match nearest(word, &names) {
        Some(meant) => format!("did you mean `{meant}`? There are: {there}"),
        None => format!("there are: {there}"),
    }
}

/// ``Did you mean `a`?``, where one of the names is a slip of the keyboard away.
pub(crate) fn suggestion<S: AsRef<str>>(word: &str, names: &[S]) -> Option<String> {
    nearest(word, names).map(|meant| format!("Did you mean `{meant}`?"))
}

/// The name that a person who typed `word` is likely to have meant: at most every third character is wrong, missing, one
/// too many or two neighbours exchanged.
pub(crate) fn nearest<'a, S: AsRef<str>>(word: &str, names: &'a [S]) -> Option<&'a str> {
    let allowed = word.chars().count().div_ceil(3).min(word.chars().count().saturating_sub(1));
    let names = names.iter().map(AsRef::as_ref).filter(|name| *name != word);
    names.map(|name| (slips(word, name), name)).filter(|(slips, _)| *slips <= allowed).min().map(|(_, name)| name)
}

/// Slips of the keyboard from one word to another, whatever the case of letters (optimal string alignment).
fn slips(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    let mut rows: [Vec<usize>; 3] = [Vec::new(), Vec::new(), (0..=b.len()).collect()];
    for i in 1..=a.len() {
        rows.rotate_left(1);
        rows[2] = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let other = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[1][j - 1] + other).min(rows[1][j] + 1).min(rows[2][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[0][j - 2] + 1);
            }
            rows[2][j] = least;
        }
    }
    rows[2][b.len()]
}

/// `60,000`
pub(crate) fn grouped(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).expect("digits")).collect();
    groups.join(",")
}

/// Paths one after the other: `data, /home/me/data`.
pub(crate) fn paths(paths: &[impl AsRef<Path>]) -> String {
    paths.iter().map(|path| path.as_ref().display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Beginning with a capital letter.
pub(crate) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// `90 s`, `12 min`, `2.5 h`
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// `12.3 MB`
pub(crate) fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        b if b < 1e3 => format!("{b:.0} B"),
        b if b < 1e6 => format!("{:.1} kB", b / 1e3),
        b if b < 1e9 => format!("{:.1} MB", b / 1e6),
        b if b < 1e12 => format!("{:.2} GB", b / 1e9),
        b => format!("{:.0} TB", b / 1e12),
    }
}

/// `8 GB`, `500MB`, `1.5 GiB` as a number of bytes.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let number: f64 = text[..unit].trim().parse().ok()?;
    let factor = match text[unit..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024f64.powi(2),
        "gib" => 1024f64.powi(3),
        "tib" => 1024f64.powi(4),
        _ => return None,
    };
    let bytes = number * factor;
    (bytes.is_finite() && bytes >= 1.0).then_some(bytes as u64)
}

/// `25m`, `90 s`, `2.5h` as a number of seconds.
pub(crate) fn seconds(text: &str) -> Option<f64> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = text[..unit].trim().parse().ok()?;
    let factor = match text[unit..].trim() {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    // A year is more than anybody waits.
    Some(number * factor).filter(|seconds| (0.0..=3.2e7).contains(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_quoted_and_none_is_said() {
        assert_eq!(choices(["a", "b"]), "`a`, `b`");
        assert_eq!(choices::<&str>([]), "none");
    }

    #[test]
    fn the_name_that_was_meant_is_a_slip_away() {
        let names = ["samples", "seed", "snapshots", "schedule", "bp", "bp_oja"];
        let meant = |word| nearest(word, &names);
        assert_eq!(
            ["sampels", "sample", "Seed", "bpoja", "snapshot", "schedlue"].map(meant).map(Option::unwrap),
            ["samples", "samples", "seed", "bp_oja", "snapshots", "schedule"]
        );
        assert_eq!(["x", "layers", "", "fa", "samples_per_second"].map(meant), [None; 5]);
        assert_eq!(instead_of("sed", ["seed"]), "did you mean `seed`? There are: `seed`");
        assert_eq!(instead_of("rate", ["seed"]), "there are: `seed`");
    }

    #[test]
    fn slips_are_counted_once_each() {
        for (a, b, expected) in
            [("", "abc", 3), ("abc", "acb", 1), ("abc", "abc", 0), ("abc", "xbcd", 2), ("é−", "e-", 2)]
        {
            assert_eq!((slips(a, b), slips(b, a)), (expected, expected), "{a} {b}");
        }
    }

    #[test]
    fn digits_are_grouped_in_threes() {
        let numbers = [0, 12, 123, 999, 1234, 60_000, 12_345_678, 4_294_967_295_u64];
        let expected = ["0", "12", "123", "999", "1,234", "60,000", "12,345,678", "4,294,967,295"];
        assert_eq!(numbers.map(grouped), expected);
    }

    #[test]
    fn times_and_sizes_take_the_unit_that_suits_them() {
        assert_eq!([9.0, 90.0, 720.0, 9000.0].map(duration), ["9.0 s", "90 s", "12 min", "2.5 h"]);
        assert_eq!([999, 1_500, 12_300_000, 2_500_000_000].map(size), ["999 B", "1.5 kB", "12.3 MB", "2.50 GB"]);
        assert_eq!(size(3_136_000_000_000_000), "3136 TB");
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        let read = ["8 GB", "500MB", "1.5GiB", "1000", "2k"].map(bytes).map(Option::unwrap);
        assert_eq!(read, [8_000_000_000, 500_000_000, 1_610_612_736, 1000, 2000]);
        assert_eq!(["", "GB", "-1 GB", "8 Gb/s", "nan", "0", "−1"].map(bytes), [None; 7]);
    }
}
