//! BagIt 1.0 (RFC 8493) around the payload: what `bagit` of any language checks.

use std::collections::BTreeMap;

use super::container::Member;
use super::contents::Published;

pub(super) const DECLARATION: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
pub(super) const BAGIT: &str = "bagit.txt";
pub(super) const INFO: &str = "bag-info.txt";
pub(super) const MANIFEST: &str = "manifest-sha256.txt";
pub(super) const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";

/// The payload under `<name>/data/` with the tag files beside it, sorted by path.
pub(super) fn pack(published: &Published, payload: Vec<Member>, time: Option<u64>) -> Vec<Member> {
    let main = published.main();
    let bytes: u64 = payload.iter().map(|member| member.bytes).sum();
    let files: BTreeMap<String, String> =
        payload.iter().map(|member| (format!("data/{}", member.path), member.sha256.clone())).collect();
    let mut members: Vec<Member> =
        payload.into_iter().map(|member| Member { path: format!("data/{}", member.path), ..member }).collect();
    let info = info(&main.pipeline, &main.title, &main.program.version, time, bytes, files.len());
    members.push(Member::text(BAGIT, DECLARATION));
    members.push(Member::text(INFO, info));
    members.push(Member::text(MANIFEST, manifest(&files)));
    let tags = members.iter().filter(|member| !member.path.starts_with("data/"));
    let tags = tags.map(|member| (member.path.clone(), member.sha256.clone())).collect();
    members.push(Member::text(TAG_MANIFEST, manifest(&tags)));
    for member in &mut members {
        member.path = format!("{}/{}", main.pipeline, member.path);
    }
    members.sort_by(|a, b| a.path.cmp(&b.path));
    members
}

/// `bag-info.txt`. Without SOURCE_DATE_EPOCH it has no date.
pub(super) fn info(name: &str, title: &str, version: &str, time: Option<u64>, bytes: u64, files: usize) -> String {
    let mut lines = vec![
        format!("Bag-Software-Agent: ojaflow {version}"),
        format!("External-Identifier: {name}"),
        // A title with a line break would start another label.
        format!("External-Description: {}", title.split_whitespace().collect::<Vec<_>>().join(" ")),
        format!("Payload-Oxum: {bytes}.{files}"),
    ];
    lines.extend(time.map(|time| format!("Bagging-Date: {}", date(time))));
    lines.sort();
    lines.join("\n") + "\n"
}

/// Lines of digest and path, sorted by path.
pub(super) fn manifest(files: &BTreeMap<String, String>) -> String {
    files.iter().map(|(path, digest)| format!("{digest}  {path}\n")).collect()
}

/// `2024-08-15` of seconds since 1970.
pub(super) fn date(seconds: u64) -> String {
    // Howard Hinnant, "chrono-compatible low-level date algorithms": days since 1 March of the year 0, whose eras of 400
    // years all have 146,097 days.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // From `date -u -d @<seconds> +%F`.
        let known = [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_723_680_000, "2024-08-15"),
            (4_107_542_399, "2100-02-28"),
        ];
        for (seconds, expected) in known {
            assert_eq!(date(seconds), expected);
        }
    }
}
