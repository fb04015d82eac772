// SPDX-License-Identifier: Apache-2.0
//! Verifying the tokens of OpenID Connect providers.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use standin::access_control::{Store, WebIdentity};
use standin::fault::Status;

use crate::aws::Aws;
use crate::aws::problem::{Code, Problem};

/// Longest token, characters, as AWS has it.
const LONGEST: usize = 20_000;
/// Signatures that are accepted.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::RS256, Algorithm::ES256];
/// Tolerated clock difference, seconds.
const SKEW: i64 = 60;

fn invalid(text: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidIdentityToken, text)
}

/// The claims that are looked at.
#[derive(serde::Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    #[serde(default)]
    aud: Audiences,
    azp: Option<String>,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    amr: Option<Vec<String>>,
    #[serde(default)]
    email: Option<String>,
}

/// One audience or several.
#[derive(Default, serde::Deserialize)]
#[serde(untagged)]
enum Audiences {
    #[default]
    None,
    One(String),
    Several(Vec<String>),
}

impl Audiences {
    fn list(&self) -> Vec<&str> {
        match self {
            Self::None => Vec::new(),
            Self::One(one) => vec![one],
            Self::Several(several) => several.iter().map(String::as_str).collect(),
        }
    }
}

/// Verifies a token: by a registered provider, for one of its clients, signed
/// with one of its keys, and in force now.
pub(super) fn verify(aws: &Aws, store: &Store, token: &str) -> Result<WebIdentity, Problem> {
    if token.len() > LONGEST {
        return Err(invalid("The token is too long."));
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| {
        invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
    })?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(invalid("The token's algorithm is not accepted; RS256 and ES256 are."));
    }
    // Says only whom to ask for the key; nothing is believed yet.
    let unverified: Value = jsonwebtoken::dangerous::insecure_decode(token)
        .map(|t| t.claims)
        .map_err(|_| invalid("The token has no claims."))?;
    let issuer =
        unverified.get("iss").and_then(Value::as_str).ok_or_else(|| invalid("Missing a required claim: iss"))?;
    let name = issuer.strip_prefix("https://").ok_or_else(|| invalid("The issuer of the token is no https:// URL."))?;
    let arn = format!("arn:aws:iam::{}:oidc-provider/{name}", store.account());
    let provider = store.provider(&arn).map_err(|fault| match fault.status {
        Status::NotFound => invalid("No OpenIDConnect provider found in your account for the issuer of the token"),
        _ => fault.into(),
    })?;
    let key = aws.keys.key(issuer, header.kid.as_deref())?;
    let key = DecodingKey::from_jwk(&key)
        .map_err(|_| invalid("The identity provider's key is of no kind that is accepted."))?;
    let mut validation = Validation::new(header.alg);
    // Times and audiences are checked below, by this service's clock.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims: Claims = jsonwebtoken::decode(token, &key, &validation).map(|data| data.claims).map_err(|e| {
        use jsonwebtoken::errors::ErrorKind;
        match e.kind() {
            ErrorKind::Json(_) | ErrorKind::MissingRequiredClaim(_) => {
                invalid("A claim is missing or malformed: iss, sub, aud or azp, and exp are needed.")
            }
            _ => invalid("The token's signature is not valid."),
        }
    })?;
    let now = aws.now().seconds();
    if claims.exp <= now - SKEW {
        let text =
            format!("Token expired: current date/time {now} must be before the expiration date/time {}", claims.exp);
        return Err(Problem::new(Code::ExpiredTokenException, text));
    }
    if claims.nbf.is_some_and(|nbf| nbf > now + SKEW) {
        return Err(invalid("The token is not yet in force."));
    }
    if claims.iss != issuer || claims.sub.is_empty() {
        return Err(invalid("The token names no subject."));
    }
    let audiences = claims.aud.list();
    // As AWS documents it: who the token was issued to counts, if it is said.
    let asked: Vec<&str> = claims.azp.as_deref().map_or_else(|| audiences.clone(), |azp| vec![azp]);
    let audience = asked.into_iter().find(|aud| provider.client_ids.iter().any(|id| id == aud));
    let audience = audience.ok_or_else(|| invalid("Incorrect token audience"))?.to_owned();
    let mut more = vec![("oaud".to_owned(), audiences.iter().map(|&a| a.to_owned()).collect())];
    more.extend(claims.amr.map(|amr| ("amr".to_owned(), amr)));
    more.extend(claims.email.map(|email| ("email".to_owned(), vec![email])));
    Ok(WebIdentity { provider: arn, issuer: name.to_owned(), audience, subject: claims.sub, claims: more })
}
