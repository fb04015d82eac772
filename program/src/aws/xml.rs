// SPDX-License-Identifier: Apache-2.0
//! Writing the XML of answers.

use standin::credential::sigv4::percent;

/// XML being written. Elements that are empty are not left out: clients tell
/// an empty list from a missing one.
#[derive(Debug, Default)]
pub(crate) struct Xml(String);

impl Xml {
    /// An element with text.
    pub(crate) fn text(&mut self, name: &str, value: impl AsRef<str>) -> &mut Self {
        self.0.extend(["<", name, ">"]);
        escape(value.as_ref(), &mut self.0);
        self.0.extend(["</", name, ">"]);
        self
    }

    /// An element with text, if there is any.
    pub(crate) fn maybe(&mut self, name: &str, value: Option<impl AsRef<str>>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// An element with others in it.
    pub(crate) fn node(&mut self, name: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        self.0.extend(["<", name, ">"]);
        inside(self);
        self.0.extend(["</", name, ">"]);
        self
    }

    /// An element with what was written before.
    pub(crate) fn raw(&mut self, name: &str, inside: &Self) -> &mut Self {
        self.node(name, |x| x.0.push_str(&inside.0))
    }

    /// A list whose members have fields.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut member: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.node(name, |x| {
            for item in items {
                x.node("member", |x| member(x, item));
            }
        })
    }

    /// A list of texts.
    pub(crate) fn texts<T: AsRef<str>>(&mut self, name: &str, items: impl IntoIterator<Item = T>) -> &mut Self {
        self.list(name, items, |x, item| escape(item.as_ref(), &mut x.0))
    }

    /// True or false.
    pub(crate) fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.text(name, if value { "true" } else { "false" })
    }

    /// A whole answer: its first element has a namespace.
    pub(crate) fn document(name: &str, namespace: &str, inside: impl FnOnce(&mut Self)) -> String {
        let mut xml = Self(format!("<{name} xmlns=\"{namespace}\">"));
        inside(&mut xml);
        xml.0.extend(["</", name, ">\n"]);
        xml.0
    }
}

/// Appends text as XML 1.0 allows it. Characters it has no way to write become
/// U+FFFD.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // Readers turn a bare one into a line feed.
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            // Controls XML discourages, and U+2028 which some readers take for
            // the end of a line.
            '\u{7f}'..='\u{9f}' | '\u{2028}' => out.push_str(&format!("&#{};", u32::from(c))),
            c => out.push(c),
        }
    }
}

/// Text percent-encoded as policy documents are in answers (RFC 3986).
pub(crate) fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    percent::encode(text, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_written_as_xml_allows() {
        let shown = |text: &str| {
            let mut xml = Xml::default();
            xml.text("a", text);
            xml.0
        };
        assert_eq!(shown("<b>&\"'\r\n\t"), "<a>&lt;b&gt;&amp;&quot;&apos;&#13;\n\t</a>");
        assert_eq!(shown("\u{0}\u{1f}\u{ffff}\u{85}é\u{1f600}"), "<a>\u{fffd}\u{fffd}\u{fffd}&#133;é\u{1f600}</a>");
        for c in (0..=0x11_0000).filter_map(char::from_u32) {
            let text = shown(&c.to_string());
            assert!(!text.contains(|c: char| c < ' ' && c != '\t' && c != '\n'), "{c:?}");
        }
    }

    #[test]
    fn lists_stay_when_they_are_empty() {
        let text = Xml::document("R", "urn:x", |x| {
            x.texts("A", ["1", "2"]).texts("B", [""; 0]).maybe("C", None::<&str>).flag("D", true);
        });
        let inside = "<A><member>1</member><member>2</member></A><B></B><D>true</D>";
        assert_eq!(text, format!("<R xmlns=\"urn:x\">{inside}</R>\n"));
        assert_eq!(percent("{\"a\":[é]}-._~"), "%7B%22a%22%3A%5B%C3%A9%5D%7D-._~");
    }
}
