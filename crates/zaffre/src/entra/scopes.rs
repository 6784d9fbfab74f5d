//! OAuth's scopes: which resource, and what may be done there in the user's name.

use azure::{error::Result, ids::Guid};
use serde_json::Value;

use super::{codes, form::Form, routes::Version};
use crate::directory::resources::Resource;

const DEFAULT: &str = "/.default";
const GRAPH: &str = "https://graph.microsoft.com";
/// What Azure's own services call "as the user, in everything".
const IMPERSONATION: &str = "user_impersonation";
static OPENID: &[&str] = &["openid", "profile", "email", "offline_access"];

/// What a user's token is for.
#[derive(Debug)]
pub(super) struct Asked {
    /// The name of the resource.
    pub(super) resource: String,
    /// Scopes that are asked for by name.
    names: Vec<String>,
    /// Whether all is asked for that was consented to: `/.default`.
    is_default: bool,
    /// The words of the request, which MSAL keeps tokens under.
    words: Vec<String>,
    pub(super) with_id_token: bool,
    pub(super) with_refresh_token: bool,
}

/// What the token's scopes are, as `scp` and as the answer have them.
pub(super) struct Granted {
    pub(super) scp: String,
    pub(super) answered: String,
}

impl Asked {
    /// What is granted at the resource: everybody here has consented to everything that it offers.
    pub(super) fn granted(&self, client: &str, resource: &Resource) -> Result<Granted> {
        let names = self.names_at(resource);
        if let Some(offered) = resource.scopes() {
            let unknown = self.names.iter().find(|name| !offered.contains(&name.as_str()));
            if let Some(name) = unknown {
                return Err(codes::NO_SUCH_SCOPE.with([client, name, &resource.name]));
            }
        }
        let more = names.iter().map(|name| format!("{}/{name}", self.resource));
        let more = more.filter(|it| self.is_default && !self.words.contains(it));
        let answered: Vec<String> = self.words.iter().cloned().chain(more).collect();
        Ok(Granted { scp: names.join(" "), answered: answered.join(" ") })
    }

    fn names_at(&self, resource: &Resource) -> Vec<String> {
        match (self.is_default, self.names.is_empty(), resource.scopes()) {
            (true, _, Some(offered)) if !offered.is_empty() => {
                offered.into_iter().map(str::to_owned).collect()
            }
            (true, _, _) => vec![IMPERSONATION.to_owned()],
            (false, true, _) => vec!["openid".to_owned(), "profile".to_owned()],
            (false, false, _) => self.names.clone(),
        }
    }
}

/// What the client says that it can do, in the `claims` parameter: `cp1` is that it understands a claims
/// challenge (entra.md §5, `xms_cc`).
pub(super) fn capabilities(form: &Form) -> Result<Vec<String>> {
    let Some(text) = form.get("claims") else { return Ok(Vec::new()) };
    let claims: Value = serde_json::from_str(text).map_err(|_| &codes::MALFORMED)?;
    let values = claims.pointer("/access_token/xms_cc/values").and_then(Value::as_array);
    Ok(values.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// The resource of the one scope that a client may ask for as itself. `/.default` is taken off once:
/// what is left is the audience, slash and all (az-cli.md §1.6).
pub(super) fn of_application(form: &Form, version: Version) -> Result<&str> {
    if version == Version::V1 {
        return form.required("resource");
    }
    if form.get("resource").is_some() {
        return Err((&codes::RESOURCE_OVER_V2).into());
    }
    let scope = form.required("scope")?;
    match scope.strip_suffix(DEFAULT) {
        None => Err(codes::NOT_DEFAULT_SCOPE.with([scope])),
        Some(resource) if resource.is_empty() || resource.contains(char::is_whitespace) => {
            Err(codes::INVALID_SCOPE.with([scope]))
        }
        Some(resource) => Ok(resource),
    }
}

/// What a form asks for, as text that can be kept until the code is redeemed.
pub(super) fn wanted(form: &Form, version: Version) -> Option<String> {
    match (version, form.get("scope"), form.get("resource")) {
        (Version::V1, _, Some(resource)) => Some(format!("{resource}{DEFAULT} openid offline_access")),
        (_, scope, _) => scope.map(str::to_owned),
    }
}

/// Reads a user's scopes: all of one resource. Without one, Graph is meant.
pub(super) fn of_user(scope: &str) -> Result<Asked> {
    let mut asked = Asked {
        resource: String::new(),
        names: Vec::new(),
        is_default: false,
        words: scope.split_ascii_whitespace().map(str::to_owned).collect(),
        with_id_token: false,
        with_refresh_token: false,
    };
    for word in scope.split_ascii_whitespace().filter(|word| !OPENID.contains(word)) {
        let (resource, name) = split(word);
        let is_other = !asked.resource.is_empty() && asked.resource != resource;
        if is_other || resource.is_empty() || name.is_some_and(str::is_empty) {
            return Err(codes::INVALID_SCOPE.with([scope]));
        }
        asked.resource = resource.to_owned();
        match name {
            Some(name) => asked.names.push(name.to_owned()),
            None => asked.is_default = true,
        }
    }
    if asked.is_default && !asked.names.is_empty() {
        return Err(codes::INVALID_SCOPE.with([scope]));
    }
    let has = |word: &str| asked.words.iter().any(|it| it == word);
    (asked.with_id_token, asked.with_refresh_token) = (has("openid"), has("offline_access"));
    if asked.resource.is_empty() {
        asked.resource = GRAPH.to_owned();
    }
    Ok(asked)
}

/// A scope's resource and name; no name where it is `/.default`. A bare name is one of Graph's.
fn split(word: &str) -> (&str, Option<&str>) {
    if let Some(resource) = word.strip_suffix(DEFAULT) {
        return (resource, None);
    }
    match word.rsplit_once('/') {
        Some((resource, name)) if word.contains("://") || resource.parse::<Guid>().is_ok() => {
            (resource, Some(name))
        }
        _ => (GRAPH, Some(word)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_names_one_resource_and_what_is_done_there() {
        let arm = "https://management.azure.com";
        let guid = "7af7e000-c10d-4000-8000-0000000000a1";
        for (scope, name, names) in [
            (
                "https://management.core.windows.net//.default offline_access openid",
                "https://management.core.windows.net/",
                IMPERSONATION,
            ),
            ("https://management.azure.com/user_impersonation", arm, IMPERSONATION),
            ("User.Read Mail.Read", GRAPH, "User.Read Mail.Read"),
            ("7af7e000-c10d-4000-8000-0000000000a1/read", guid, "read"),
            ("openid", GRAPH, "openid profile"),
        ] {
            let asked = of_user(scope).expect("is a scope");
            assert_eq!(asked.resource, name, "{scope}");
            let granted = asked.granted("client", &Resource { name: name.to_owned(), own: None });
            assert_eq!(granted.expect("is granted").scp, names, "{scope}");
        }
        for scope in [
            "https://a.example/x https://b.example/y",
            "/.default",
            "https://a.example/",
            "https://a.example/.default https://a.example/x",
        ] {
            assert!(of_user(scope).is_err(), "{scope}");
        }
    }
}
