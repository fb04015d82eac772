// SPDX-License-Identifier: Apache-2.0
//! Long lists in pages: `MaxItems` and `Marker`. A marker is the name of the
//! last thing of the page before, so a page is right however much came and
//! went between.

use standin::access_control::Page;

use crate::aws::form::Form;
use crate::aws::problem::{Code, Problem};
use crate::aws::xml::Xml;

/// How many items a page has when nobody says, and at most.
const DEFAULT: i64 = 100;
const MOST: i64 = 1000;
/// Before the name in a marker, so that an empty one is none.
const HEAD: &str = "after:";

/// The page a request asks for.
pub(super) fn asked(form: &Form) -> Result<Page<'_>, Problem> {
    let most = form.number("MaxItems", 1..=MOST)?.unwrap_or(DEFAULT);
    let after = match form.get("Marker") {
        None => "",
        Some(marker) => marker
            .strip_prefix(HEAD)
            .ok_or_else(|| Problem::new(Code::ValidationError, "Invalid Marker. Use the one of the page before."))?,
    };
    Ok(Page { after, most: usize::try_from(most).unwrap_or(1) })
}

/// Cuts the one item off that was read to know whether there are more.
pub(super) fn cut<T>(mut items: Vec<T>, page: &Page<'_>) -> (Vec<T>, bool) {
    let more = items.len() > page.most;
    items.truncate(page.most);
    (items, more)
}

/// The page of a list that is read whole; its items come in the order of their
/// names.
pub(super) fn of<T>(items: Vec<T>, page: &Page<'_>, name: impl Fn(&T) -> &str) -> (Vec<T>, bool) {
    let rest = items.into_iter().filter(|item| page.after.is_empty() || name(item) > page.after);
    cut(rest.take(page.most + 1).collect(), page)
}

/// Says whether there is more, and what to ask with then.
pub(super) fn end(x: &mut Xml, more: bool, last: Option<&str>) {
    x.flag("IsTruncated", more);
    if let Some(last) = last.filter(|_| more) {
        x.text("Marker", format!("{HEAD}{last}"));
    }
}
