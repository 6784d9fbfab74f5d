//! `checkResourceName`: whether a name is one of Microsoft's own words.

use azure::error::Result;
use serde_json::json;

use super::{
    codes, content,
    kind::{Answer, Call},
    types::Types,
};

/// Not the whole of a name (documented: "Resolve reserved resource name errors").
static WHOLE: &[&str] = &[
    "access",
    "azure",
    "bing",
    "bizspark",
    "biztalk",
    "cortana",
    "directx",
    "dotnet",
    "dynamics",
    "excel",
    "exchange",
    "forefront",
    "groove",
    "hololens",
    "hyperv",
    "kinect",
    "lync",
    "msdn",
    "o365",
    "office",
    "office365",
    "onedrive",
    "onenote",
    "outlook",
    "powerpoint",
    "sharepoint",
    "skype",
    "visio",
    "visualstudio",
];
/// Nowhere in a name.
static ANYWHERE: &[&str] = &["microsoft", "windows"];
/// Not at its beginning.
static FIRST: &[&str] = &["login", "xbox"];

pub(super) fn check(_: &Types, call: &mut Call<'_>) -> Result<Answer> {
    let needed = |name: &str| {
        let missing =
            || codes::INVALID_CONTENT.with([format!("Required property '{name}' not found in JSON")]);
        content::text(call.body, name)?.filter(|it| !it.is_empty()).ok_or_else(missing)
    };
    let (name, kind) = (needed("name")?, needed("type")?);
    let status = if is_reserved(&name) { "Reserved" } else { "Allowed" };
    Ok(Answer::ok(json!({ "name": name, "type": kind, "status": status })))
}

fn is_reserved(name: &str) -> bool {
    let name = name.to_lowercase();
    WHOLE.contains(&name.as_str())
        || ANYWHERE.iter().any(|it| name.contains(it))
        || FIRST.iter().any(|it| name.starts_with(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_words_are_reserved_whole_some_anywhere_some_at_the_beginning() {
        for (name, reserved) in [
            ("Office", true),
            ("myoffice", false),
            ("my-Windows-vm", true),
            ("microsoft", true),
            ("LoginServer", true),
            ("my-login", false),
            ("vm1", false),
        ] {
            assert_eq!(is_reserved(name), reserved, "{name}");
        }
    }
}
