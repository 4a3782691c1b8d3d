//! A figure's SVG file → an element inside a page.

/// What a page takes from a figure.
#[derive(Debug, PartialEq)]
pub(super) struct Inline {
    /// The `<svg>` element, its identifiers made unique.
    pub element: String,
    /// Its style sheets. In a page these apply to all figures, so equal ones (the embedded font) are needed once.
    pub styles: Vec<String>,
    /// In user units, from the view box.
    pub width: Option<f64>,
    /// What it shows, in words that are escaped as XML.
    pub description: String,
}

/// Takes a figure apart. `prefix` is what its identifiers get in front; `label` names the elements that describe it.
///
/// None if the text is not an SVG, or holds a script.
pub(super) fn inline(text: &str, prefix: &str, label: &str) -> Option<Inline> {
    let start = text.find("<svg")?;
    let end = text.rfind("</svg>")? + "</svg>".len();
    let mut element = text.get(start..end)?.to_owned();
    if element.contains("<script") {
        return None;
    }
    let mut styles = Vec::new();
    while let Some(from) = element.find("<style") {
        let to = from + element[from..].find("</style>")? + "</style>".len();
        let style = &element[from..to];
        let inside = style[style.find('>')? + 1..style.len() - "</style>".len()].trim();
        styles.push(inside.trim_start_matches("<![CDATA[").trim_end_matches("]]>").to_owned());
        element.replace_range(from..to, "");
    }
    for (before, after) in [("id=\"", '"'), ("url(#", ')'), ("href=\"#", '"')] {
        element = prefixed(&element, before, after, prefix);
    }
    // The page says how large it is and what it is called.
    let open = element.find('>')?;
    let head = &element[..open];
    let width = attribute(head, "viewBox").and_then(|view| view.split_whitespace().nth(2)?.parse().ok());
    let mut kept = String::from("<svg");
    for name in ["xmlns", "xmlns:xlink", "viewBox", "font-family"] {
        if let Some(value) = attribute(head, name) {
            kept += &format!(" {name}=\"{value}\"");
        }
    }
    kept += &format!(" role=\"img\" aria-labelledby=\"{label}\"");
    element.replace_range(..open, &kept);
    // Its own title would be shown as a tool tip over the whole figure, and read in place of the page's.
    take(&mut element, "title");
    let description = take(&mut element, "desc").unwrap_or_default();
    Some(Inline { element, styles, width, description })
}

/// Takes the first element of this name out, and gives what was in it.
fn take(text: &mut String, name: &str) -> Option<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let (from, to) = (text.find(&open)?, text.find(&close)?);
    let inside = text.get(from + open.len()..to)?.to_owned();
    text.replace_range(from..to + close.len(), "");
    Some(inside)
}

fn attribute<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let from = head.find(&format!(" {name}=\""))? + name.len() + 3;
    let length = head[from..].find('"')?;
    Some(&head[from..from + length])
}

/// Puts `prefix` after every `before` that is followed by a name and `after`.
fn prefixed(text: &str, before: &str, after: char, prefix: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(before) {
        // `id="` is also the end of `grid="`.
        let whole = before.starts_with("url") || rest[..at].ends_with(|c: char| c.is_whitespace() || c == ':');
        result.push_str(&rest[..at + before.len()]);
        rest = &rest[at + before.len()..];
        if whole && rest.contains(after) {
            result.push_str(prefix);
        }
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURE: &str = "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"180mm\" viewBox=\"0 0 510.2 400\">\
        <title>t</title><style>@font-face{font-family:Inter}</style><clipPath id=\"a\"/>\
        <g clip-path=\"url(#a)\" data-grid=\"a\"><use href=\"#a\"/></g></svg>\n";

    #[test]
    fn identifiers_are_renamed_together_with_what_refers_to_them() {
        let inline = inline(FIGURE, "f1-", "caption-1").unwrap();
        assert_eq!(
            inline.element,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 510.2 400\" role=\"img\" aria-labelledby=\"caption-1\">\
             <clipPath id=\"f1-a\"/><g clip-path=\"url(#f1-a)\" data-grid=\"a\"><use href=\"#f1-a\"/></g></svg>"
        );
        assert_eq!(inline.styles, ["@font-face{font-family:Inter}"]);
        assert_eq!(inline.width, Some(510.2));
    }

    #[test]
    fn what_could_run_is_not_taken() {
        assert_eq!(inline("<svg><script>1</script></svg>", "", ""), None);
        assert_eq!(inline("no drawing", "", ""), None);
    }
}
