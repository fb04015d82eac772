// SPDX-License-Identifier: Apache-2.0
//! What the account has, and how much of it there may be.

use standin::access_control::QUOTAS;

use crate::aws::gate::{Call, Target};
use crate::aws::problem::Problem;
use crate::aws::xml::Xml;

pub(crate) fn summary(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let permit = call.permit(Target::new("*"))?;
    let (usage, quotas) = (permit.store.usage()?, permit.store.quotas());
    let used = [
        ("Users", usage.users),
        ("Groups", usage.groups),
        ("Roles", usage.roles),
        ("Policies", usage.policies),
        ("PolicyVersionsInUse", usage.versions),
        ("Providers", usage.providers),
    ];
    let most = QUOTAS.iter().filter_map(|rule| Some((rule.summary?, quotas.most(rule.quota)?)));
    x.node("SummaryMap", |x| {
        for (key, value) in used.into_iter().chain(most) {
            x.node("entry", |x| {
                x.text("key", key).text("value", value.to_string());
            });
        }
    });
    Ok(())
}
