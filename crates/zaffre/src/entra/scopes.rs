//! OAuth's scopes: which resource, and what may be done there in the user's name.

use azure::error::Result;

use super::{codes, form::Form, routes::Version};

const DEFAULT: &str = "/.default";
const GRAPH: &str = "https://graph.microsoft.com";
static OPENID: &[&str] = &["openid", "profile", "email", "offline_access"];

/// What a user's token is for.
pub(super) struct Asked {
    pub(super) audience: String,
    /// As `scp` has them.
    pub(super) names: String,
    /// As the answer has them: MSAL keeps tokens under these.
    pub(super) answered: String,
    pub(super) with_id_token: bool,
    pub(super) with_refresh_token: bool,
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
    let mut audience: Option<&str> = None;
    let mut names: Vec<&str> = Vec::new();
    let mut answered: Vec<String> = Vec::new();
    for word in scope.split_ascii_whitespace() {
        if OPENID.contains(&word) {
            answered.push(word.to_owned());
            continue;
        }
        let (resource, name) = match word.strip_suffix(DEFAULT) {
            Some(resource) => (resource, "user_impersonation"),
            None if word.contains("://") => word.rsplit_once('/').unwrap_or((word, "")),
            None => (GRAPH, word),
        };
        let is_other = audience.is_some_and(|known| known != resource);
        if is_other || resource.is_empty() || name.is_empty() {
            return Err(codes::INVALID_SCOPE.with([scope]));
        }
        audience = Some(resource);
        names.push(name);
        answered.push(word.to_owned());
        if word.ends_with(DEFAULT) {
            answered.push(format!("{resource}/{name}"));
        }
    }
    let has = |word: &str| scope.split_ascii_whitespace().any(|it| it == word);
    Ok(Asked {
        audience: audience.unwrap_or(GRAPH).to_owned(),
        names: if names.is_empty() { "openid profile".to_owned() } else { names.join(" ") },
        answered: answered.join(" "),
        with_id_token: has("openid"),
        with_refresh_token: has("offline_access"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_names_one_resource_and_what_is_done_there() {
        for (scope, audience, names) in [
            (
                "https://management.core.windows.net//.default offline_access openid",
                "https://management.core.windows.net/",
                "user_impersonation",
            ),
            (
                "https://management.azure.com/user_impersonation",
                "https://management.azure.com",
                "user_impersonation",
            ),
            ("User.Read Mail.Read", GRAPH, "User.Read Mail.Read"),
            ("openid", GRAPH, "openid profile"),
        ] {
            let asked = of_user(scope).expect("is a scope");
            assert_eq!((asked.audience.as_str(), asked.names.as_str()), (audience, names), "{scope}");
        }
        for scope in ["https://a.example/x https://b.example/y", "/.default", "https://a.example/"] {
            assert!(of_user(scope).is_err(), "{scope}");
        }
    }
}
