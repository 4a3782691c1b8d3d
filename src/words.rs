//! Numbers and lists as messages and pages write them.

/// `a`, `b`, `c` — how messages name what can be chosen.
pub fn choices<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// `90 s`, `12 min`, `2.5 h`
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// `12.3 MB`
pub fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        b if b < 1e3 => format!("{b:.0} B"),
        b if b < 1e6 => format!("{:.1} kB", b / 1e3),
        b if b < 1e9 => format!("{:.1} MB", b / 1e6),
        b => format!("{:.2} GB", b / 1e9),
    }
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
    fn times_and_sizes_take_the_unit_that_suits_them() {
        assert_eq!([9.0, 90.0, 720.0, 9000.0].map(duration), ["9.0 s", "90 s", "12 min", "2.5 h"]);
        assert_eq!([999, 1_500, 12_300_000, 2_500_000_000].map(size), ["999 B", "1.5 kB", "12.3 MB", "2.50 GB"]);
    }
}
