// SPDX-License-Identifier: Apache-2.0
//! Reading condition blocks.

use std::collections::HashMap;

use super::condition::Condition;
use super::key::{Key, OF_TAGS};
use super::operand::Operand;
use super::operator::Operator;
use super::problem::shown_text;
use super::reader::{Member, Node, Value};
use super::statement::Reading;

impl Reading<'_, '_> {
    /// A `Condition` block.
    pub(super) fn block(&mut self, node: &Node, path: &str) -> Vec<Condition> {
        let mut conditions = Vec::new();
        let Value::Object(operators) = &node.value else {
            self.problems.add(path, node.at, format!("found {}", node.shown()), "an object of operators is accepted");
            return conditions;
        };
        for member in operators {
            let inside = format!("{path}.{}", member.name);
            let operator = match Operator::read(&member.name) {
                Ok(operator) => operator,
                Err(accepted) => {
                    let found = format!("unknown operator {}", shown_text(&member.name));
                    self.problems.add(&inside, member.at, found, accepted);
                    continue;
                }
            };
            let Value::Object(keys) = &member.node.value else {
                let found = format!("found {}", member.node.shown());
                self.problems.add(&inside, member.node.at, found, "an object of condition keys is accepted");
                continue;
            };
            if keys.is_empty() {
                let accepted = "at least one condition key is accepted";
                self.problems.add(&inside, member.node.at, "no condition key", accepted);
            }
            let mut known = HashMap::new();
            for member in keys {
                let inside = format!("{inside}.{}", member.name);
                if let Some(key) = self.key(member, &mut known, &inside) {
                    let operands = self.operands(operator, &member.node, &inside);
                    conditions.push(Condition { operator, key, operands });
                }
            }
        }
        conditions
    }

    /// A condition key. `known` are those of the same operator before it, as they
    /// are written.
    fn key<'n>(&mut self, member: &'n Member, known: &mut HashMap<Key, &'n str>, path: &str) -> Option<Key> {
        let name = member.name.as_str();
        let shaped = name.split_once(':').is_some_and(|(service, key)| !service.is_empty() && !key.is_empty())
            && !name.ends_with(':')
            && !name.contains(['$', '*', '?']);
        if !shaped {
            let found = format!("found {}", shown_text(name));
            self.problems.add(path, member.at, found, "a condition key such as aws:SourceIp is accepted");
            return None;
        }
        let key = Key::of(name);
        if let Some(base) = OF_TAGS.iter().find(|base| name.trim_end_matches('/').eq_ignore_ascii_case(base)) {
            let found = format!("found {}", shown_text(name));
            self.problems.add(path, member.at, found, format!("{base}/ with the key of a tag behind it is accepted"));
            return None;
        }
        // The very same text twice was told while the document was read.
        if known.insert(key.clone(), name).is_some_and(|before| before != name) {
            let found = format!("the key {} stands twice (keys compare without case)", shown_text(name));
            self.problems.add(path, member.at, found, "each key once is accepted");
        }
        Some(key)
    }

    fn operands(&mut self, operator: Operator, node: &Node, path: &str) -> Vec<Operand> {
        let mut operands = Vec::new();
        for (node, inside) in node.items(path) {
            let text = match &node.value {
                Value::Text(text) => text.clone(),
                Value::Number(number) => number.clone(),
                Value::Bool(yes) => yes.to_string(),
                Value::Null | Value::List(_) | Value::Object(_) => {
                    let found = format!("found {}", node.shown());
                    self.problems.add(&inside, node.at, found, "a string, number or boolean is accepted");
                    continue;
                }
            };
            match Operand::read(operator.family, &text, self.variables) {
                Ok(operand) => operands.push(operand),
                Err(accepted) => self.problems.add(&inside, node.at, format!("found {}", shown_text(&text)), accepted),
            }
        }
        if matches!(&node.value, Value::List(list) if list.is_empty()) {
            self.problems.add(path, node.at, "the list is empty", "at least one value is accepted");
        }
        operands
    }
}
