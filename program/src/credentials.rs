// SPDX-License-Identifier: Apache-2.0
//! Keys as AWS's programs find them: in the environment, or in a profile of the
//! shared credentials file.

use std::path::PathBuf;

use standin::credential::Secret;
use standin::fault::{Fault, Status};
use zeroize::Zeroizing;

/// The keys of a client.
pub(crate) struct Credentials {
    /// Access key id.
    pub(crate) id: String,
    /// Secret access key.
    pub(crate) secret: Secret,
    /// Session token of temporary credentials.
    pub(crate) token: Option<Zeroizing<String>>,
    /// Where they were found, for people.
    pub(crate) from: String,
}

fn wrong(text: String) -> Fault {
    Fault::new(Status::InvalidArgument, text)
}

fn variable(name: &str) -> Option<Zeroizing<String>> {
    std::env::var(name).ok().filter(|v| !v.trim().is_empty()).map(Zeroizing::new)
}

impl Credentials {
    /// Those of a profile if one is named, else of the environment, else of the
    /// profile the environment names.
    ///
    /// # Errors
    /// When there are none, with where was looked.
    pub(crate) fn find(profile: Option<&str>, file: Option<PathBuf>) -> Result<Self, Fault> {
        if profile.is_none()
            && file.is_none()
            && let Some(id) = variable("AWS_ACCESS_KEY_ID")
        {
            let secret = variable("AWS_SECRET_ACCESS_KEY")
                .ok_or_else(|| wrong("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not".into()))?;
            return Ok(Self {
                id: id.trim().to_owned(),
                secret: Secret::new(secret.trim().as_bytes().to_vec()),
                token: variable("AWS_SESSION_TOKEN").map(|t| t.trim().to_owned().into()),
                from: "the environment".into(),
            });
        }
        let name = profile.map(str::to_owned).or_else(|| std::env::var("AWS_PROFILE").ok().filter(|p| !p.is_empty()));
        let name = name.unwrap_or_else(|| "default".into());
        let file = match file.or_else(|| std::env::var_os("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from)) {
            Some(file) => file,
            None => std::env::home_dir().unwrap_or_default().join(".aws/credentials"),
        };
        let shown = format!("profile {name} of {}", file.display());
        let text = std::fs::read_to_string(&file)
            .map(Zeroizing::new)
            .map_err(|e| wrong(format!("no keys: AWS_ACCESS_KEY_ID is not set, and {}: {e}", file.display())))?;
        let read = |key: &str| in_profile(&text, &name, key).map(|v| Zeroizing::new(v.to_owned()));
        let missing = |key: &str| wrong(format!("{shown} has no {key}"));
        if !text.lines().any(|line| section(line) == Some(name.as_str())) {
            return Err(wrong(format!("{} has no profile {name}", file.display())));
        }
        let id = read("aws_access_key_id").ok_or_else(|| missing("aws_access_key_id"))?;
        let secret = read("aws_secret_access_key").ok_or_else(|| missing("aws_secret_access_key"))?;
        Ok(Self {
            id: id.to_string(),
            secret: Secret::new(secret.as_bytes().to_vec()),
            token: read("aws_session_token"),
            from: shown,
        })
    }
}

fn section(line: &str) -> Option<&str> {
    line.trim().strip_prefix('[')?.split_once(']').map(|(name, _)| name.trim())
}

fn in_profile<'t>(text: &'t str, profile: &str, key: &str) -> Option<&'t str> {
    let mut inside = false;
    let mut found = None;
    for line in text.lines() {
        if let Some(name) = section(line) {
            inside = name == profile;
        } else if inside
            && !line.trim_start().starts_with(['#', ';'])
            && let Some((name, value)) = line.split_once('=')
            && name.trim().eq_ignore_ascii_case(key)
        {
            found = Some(value.trim());
        }
    }
    found.filter(|v| !v.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_read_by_its_name_alone() {
        let text = "[a]\nk = 1\n#k = 9\n [b] ; other\nK=2\nk2 = x=y\n[a b]\nk=3\n";
        assert_eq!(in_profile(text, "a", "k"), Some("1"));
        assert_eq!(in_profile(text, "b", "k"), Some("2"));
        assert_eq!(in_profile(text, "b", "k2"), Some("x=y"));
        assert_eq!(in_profile(text, "a b", "k"), Some("3"));
        assert_eq!(in_profile(text, "c", "k"), None);
    }
}
