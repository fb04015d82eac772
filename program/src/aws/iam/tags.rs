// SPDX-License-Identifier: Apache-2.0
//! Tags of users, roles and policies.

use standin::access_control::Tagged;

use super::page;
use crate::aws::form::Form;
use crate::aws::gate::{Call, Target};
use crate::aws::problem::{Code, Problem};
use crate::aws::xml::Xml;

/// Most tags of one thing.
const MOST: usize = 50;

fn refused(text: impl Into<String>) -> Problem {
    Problem::new(Code::ValidationError, text)
}

fn fits(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || " \u{a0}_.:/=+-@".contains(c))
}

/// The tags of the request, as AWS documents what they may hold.
pub(crate) fn given(form: &Form) -> Result<Vec<(String, String)>, Problem> {
    let mut tags: Vec<(String, String)> = Vec::new();
    for member in form.members("Tags")? {
        let key = form.need(&format!("{member}Key"))?;
        let value = form.given(&format!("{member}Value")).unwrap_or_default();
        if key.chars().count() > 128 || value.chars().count() > 256 || !fits(key) || !fits(value) {
            return Err(refused(format!(
                "Tag {key:?}: a key of 1 to 128 and a value of 0 to 256 letters, digits, spaces and _.:/=+-@ are accepted."
            )));
        }
        if key.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("aws:")) {
            return Err(refused("aws: prefixed tag key names are not allowed for external use."));
        }
        if tags.iter().any(|(k, _)| k.eq_ignore_ascii_case(key)) {
            return Err(refused("Duplicate tag keys found. Please note that Tag keys are case insensitive."));
        }
        tags.push((key.to_owned(), value.to_owned()));
    }
    if tags.len() > MOST {
        return Err(refused(format!("The number of tags has reached the maximum limit: {MOST}.")));
    }
    Ok(tags)
}

/// Tags in an answer.
pub(super) fn shown(x: &mut Xml, tags: &[(String, String)]) {
    x.list("Tags", tags, |x, (key, value)| {
        x.text("Key", key).text("Value", value);
    });
}

fn tag(call: &Call<'_>, of: Tagged<'_>, target: Target) -> Result<(), Problem> {
    let tags = given(call.form)?;
    let permit = call.permit(target.tagging(&tags))?;
    Ok(permit.store.tag(permit.actor, of, &tags)?)
}

fn untag(call: &Call<'_>, of: Tagged<'_>, target: Target) -> Result<(), Problem> {
    let keys = call.form.list("TagKeys")?;
    let permit = call.permit(target.untagging(&keys))?;
    Ok(permit.store.untag(permit.actor, of, &keys)?)
}

fn list(call: &Call<'_>, of: Tagged<'_>, target: Target, x: &mut Xml) -> Result<(), Problem> {
    let page = page::asked(call.form)?;
    let permit = call.permit(target)?;
    let mut tags = permit.store.tags(of)?;
    tags.sort();
    let (tags, more) = page::of(tags, &page, |(key, _)| key);
    shown(x, &tags);
    page::end(x, more, tags.last().map(|(key, _)| key.as_str()));
    Ok(())
}

macro_rules! tagged {
    ($kind:ident, $parameter:literal, $tag:ident, $untag:ident, $list:ident, $target:ident) => {
        pub(crate) fn $tag(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
            let name = call.form.need($parameter)?;
            tag(call, Tagged::$kind(name), call.$target(name)?)
        }

        pub(crate) fn $untag(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
            let name = call.form.need($parameter)?;
            untag(call, Tagged::$kind(name), call.$target(name)?)
        }

        pub(crate) fn $list(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
            let name = call.form.need($parameter)?;
            list(call, Tagged::$kind(name), call.$target(name)?, x)
        }
    };
}

tagged!(User, "UserName", tag_user, untag_user, list_user, user);
tagged!(Role, "RoleName", tag_role, untag_role, list_role, role);
tagged!(Policy, "PolicyArn", tag_policy, untag_policy, list_policy, policy);
