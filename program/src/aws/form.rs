// SPDX-License-Identifier: Apache-2.0
//! The parameters of a request of the query protocol: `Name=value` pairs, with
//! lists as `Name.member.1`.

use std::collections::BTreeMap;

use standin::credential::sigv4::percent;

use super::problem::{Code, Problem};

/// Most parameters.
const MOST: usize = 4096;

/// The parameters of one request.
#[derive(Debug, Default)]
pub(crate) struct Form(BTreeMap<String, String>);

fn malformed(text: &str) -> Problem {
    Problem::new(Code::MalformedQueryString, text)
}

fn decode(text: &str) -> Result<String, Problem> {
    percent::decode(text).ok_or_else(|| malformed("a parameter is not percent-encoded UTF-8"))
}

impl Form {
    /// Reads the pairs of a query and of a body. Those of the signature are
    /// left out.
    pub(crate) fn read(query: &str, body: &[u8]) -> Result<Self, Problem> {
        let body = std::str::from_utf8(body).map_err(|_| malformed("the body is not a form"))?;
        let mut pairs = BTreeMap::new();
        for pair in query.split('&').chain(body.trim_end().split('&')).filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name)?;
            if name.starts_with("X-Amz-") {
                continue;
            }
            if pairs.len() == MOST {
                return Err(malformed("the request has too many parameters"));
            }
            if pairs.insert(name, decode(value)?).is_some() {
                return Err(malformed("a parameter stands twice"));
            }
        }
        Ok(Self(pairs))
    }

    /// A parameter, if it was given and is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A parameter that may be empty.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that has to be given.
    pub(crate) fn need(&self, name: &str) -> Result<&str, Problem> {
        self.get(name).ok_or_else(|| {
            Problem::new(Code::ValidationError, format!("The request must contain the parameter {name}."))
        })
    }

    /// A number within bounds.
    pub(crate) fn number(&self, name: &str, bounds: std::ops::RangeInclusive<i64>) -> Result<Option<i64>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number = text.parse::<i64>().ok().filter(|n| bounds.contains(n));
        let wrong = || {
            Problem::new(
                Code::ValidationError,
                format!("{name}: a number from {} to {} is accepted.", bounds.start(), bounds.end()),
            )
        };
        number.map(Some).ok_or_else(wrong)
    }

    /// True or false; false when it was not given.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Problem::new(Code::ValidationError, format!("{name}: true or false is accepted."))),
        }
    }

    /// The values of a list, in order: `name.member.1`, `name.member.2`.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<&str>, Problem> {
        let mut list = Vec::new();
        for number in self.numbers(name)? {
            list.push(self.need(&format!("{name}.member.{number}"))?);
        }
        Ok(list)
    }

    /// What the names of a list's members begin with, in order:
    /// `name.member.1.`, for members that have fields.
    pub(crate) fn members(&self, name: &str) -> Result<Vec<String>, Problem> {
        Ok(self.numbers(name)?.into_iter().map(|number| format!("{name}.member.{number}.")).collect())
    }

    fn numbers(&self, name: &str) -> Result<Vec<u32>, Problem> {
        let head = format!("{name}.member.");
        let mut numbers = Vec::new();
        for key in self.0.range(head.clone()..).map(|(key, _)| key).take_while(|key| key.starts_with(&head)) {
            let text = key.get(head.len()..).and_then(|rest| rest.split('.').next()).unwrap_or_default();
            let number: u32 = text.parse().map_err(|_| malformed("the members of a list are numbered from 1"))?;
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_and_lists_are_read_in_order_and_decoded() {
        let body = b"Action=TagUser&Tags.member.2.Key=b&Tags.member.1.Key=a+%3D&Tags.member.1.Value=%C3%A9&Tags.member.10.Key=c&Names.member.1=x&Empty=&Off=false";
        let form = Form::read("Version=1&X-Amz-Date=2", body).unwrap();
        assert_eq!(form.get("Version"), Some("1"));
        assert_eq!(form.get("X-Amz-Date"), None);
        let keys: Vec<_> = form.members("Tags").unwrap().iter().map(|m| form.get(&format!("{m}Key"))).collect();
        assert_eq!(keys, [Some("a ="), Some("b"), Some("c")]);
        assert_eq!(form.get("Tags.member.1.Value"), Some("é"));
        assert_eq!(form.list("Names").unwrap(), ["x"]);
        assert_eq!((form.get("Empty"), form.given("Empty")), (None, Some("")));
        assert!(form.list("Empty").unwrap().is_empty() && !form.flag("Off").unwrap());
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for body in ["a=%", "a=%zz", "a=%ff", "a=1&a=2", "x.member.one=1"] {
            let read = Form::read("", body.as_bytes()).and_then(|f| f.list("x").map(drop));
            assert_eq!(read.unwrap_err().code, Code::MalformedQueryString, "{body}");
        }
        assert!(Form::read("a=1", b"a=1").is_err());
        assert!(Form::read("", &[0xff]).is_err());
        let many: String = (0..=MOST).map(|n| format!("p{n}=&")).collect();
        assert!(Form::read("", many.as_bytes()).is_err());
        let form = Form::read("", b"MaxItems=0&Flag=perhaps").unwrap();
        assert!(form.number("MaxItems", 1..=1000).is_err() && form.flag("Flag").is_err() && form.need("x").is_err());
    }
}
