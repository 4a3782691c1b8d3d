//! Names of data sets, and numbers, bytes and lists as the messages of this module write them.

use crate::words::grouped;

/// Names become folders and values in tables, and stand in file names of published runs.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// `1 byte`, `2,000 bytes`.
pub(super) fn counted(number: u64, singular: &str) -> String {
    format!("{} {singular}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// `1f 8b`.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// The beginning of a list of names, and how many more there are; `nothing` for an empty one.
pub(super) fn listed(names: &[String], nothing: &str) -> String {
    const SHOWN: usize = 12;
    match names.len() {
        0 => nothing.to_owned(),
        n if n <= SHOWN => names.join(", "),
        n => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
    }
}

/// Every line set in, so that it reads as part of the message above it.
pub(super) fn indented(text: &str, by: usize) -> String {
    let indent = " ".repeat(by);
    text.trim_end().lines().map(|line| format!("{indent}{line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        assert_eq!([0, 1, 1000].map(|n| counted(n, "byte")), ["0 bytes", "1 byte", "1,000 bytes"]);
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..20).map(|i| format!("file{i}")).collect();
        assert!(listed(&names, "nothing").ends_with("file11 and 8 more"));
        assert_eq!(listed(&names[..2], "nothing"), "file0, file1");
        assert_eq!(listed(&[], "nothing"), "nothing");
    }

    #[test]
    fn a_name_is_one_folder() {
        for name in ["mnist", "emnist_balanced", "k49"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "..", "a/b", "EMNIST", "k-49", "mnist ", "é"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
