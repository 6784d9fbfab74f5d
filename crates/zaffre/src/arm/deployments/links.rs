//! Templates and parameters that lie elsewhere: `templateLink`, `parametersLink`.
//!
//! ```text
//! uri            this cloud's own blobs, public or by a signature; no other host is asked
//! id             a version of a template spec, which the deployer may read
//! relativePath   beside the template that names it: the same container, or the spec's linked templates
//! ```

use azure::{
    error::{Error, Result},
    ids::ResourceId,
    template::source::{self, Places, Source},
};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    access::Caller,
    arm::{Arm, codes, content, inside::Answered},
    env::Fetched,
    service::{Cx, Fault},
};

/// The api-version by which specs are read from inside.
const SPEC_VERSION: &str = "2022-02-01";

/// Where a template was found: what it names by a relative path lies beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Link {
    Uri {
        /// Without its query, which may be a signature.
        uri: String,
        query: String,
    },
    /// The main template of a version of a spec has the empty path.
    Spec { id: ResourceId, path: String },
}

/// A template, and where it was found if it was not in the deployment itself.
pub(super) struct Found {
    pub template: Value,
    pub places: Places,
    pub link: Option<Link>,
}

impl Link {
    /// As a deployment shows it: never with a signature.
    pub(super) fn shown(&self) -> Value {
        match self {
            Link::Uri { uri, .. } => json!({ "uri": uri }),
            Link::Spec { id, path } if path.is_empty() => json!({ "id": id }),
            Link::Spec { id, path } => json!({ "id": id, "relativePath": path }),
        }
    }

    fn name(&self) -> String {
        match self {
            Link::Uri { uri, .. } => uri.clone(),
            Link::Spec { id, .. } => id.to_string(),
        }
    }

    /// What lies beside it.
    fn beside(&self, relative: &str, query: Option<&str>) -> Link {
        match self {
            Link::Uri { uri, query: own } => {
                let at = uri.find("://").map_or(0, |at| at + 3);
                let (host, path) = uri[at..].split_once('/').unwrap_or((&uri[at..], ""));
                let uri = format!("{}{host}/{}", &uri[..at], joined(path, relative));
                Link::Uri { uri, query: query.unwrap_or(own).trim_start_matches('?').to_owned() }
            }
            Link::Spec { id, path } => Link::Spec { id: id.clone(), path: joined(path, relative) },
        }
    }
}

/// `a/b.json` and `../c.json` are `c.json`.
fn joined(from: &str, relative: &str) -> String {
    let mut folders: Vec<&str> = from.split('/').collect();
    folders.pop();
    if relative.starts_with('/') {
        folders.clear();
    }
    for part in relative.split('/').filter(|it| !it.is_empty() && *it != ".") {
        match part {
            ".." => drop(folders.pop()),
            part => folders.push(part),
        }
    }
    folders.join("/")
}

/// The template of a deployment's `properties`, wherever it lies. `base` is where the template was found that names it.
pub(super) async fn template(
    (arm, cx, caller): (&Arm, &Cx, &Caller),
    deployment: &ResourceId,
    (properties, source): (&Map<String, Value>, &Source),
    base: Option<&Link>,
) -> Result<Found> {
    let linked = properties.get("templateLink").filter(|it| !it.is_null());
    match (properties.get("template").filter(|it| !it.is_null()), linked) {
        (Some(_), Some(_)) => Err(codes::TEMPLATE_TWICE.bare()),
        (None, None) => Err(codes::NO_TEMPLATE.with([deployment.name()])),
        (Some(template), None) => {
            let places = source.places.below("/properties/template");
            // What it names by a relative path lies beside whatever it was itself a part of.
            Ok(Found { template: template.clone(), places, link: base.cloned() })
        }
        (None, Some(to)) => {
            let link = read("templateLink", to, base)?;
            let Source { value: template, places } =
                followed((arm, cx, caller), &link, "templateLink").await?;
            same_version(to, &template, &link)?;
            Ok(Found { template, places, link: Some(link) })
        }
    }
}

/// The parameters of a deployment, wherever they lie.
pub(super) async fn parameters(
    (arm, cx, caller): (&Arm, &Cx, &Caller),
    properties: &Map<String, Value>,
    base: Option<&Link>,
) -> Result<Value> {
    let given = properties.get("parameters").filter(|it| !it.is_null()).cloned();
    let Some(to) = properties.get("parametersLink").filter(|it| !it.is_null()) else {
        return Ok(given.unwrap_or(Value::Null));
    };
    if given.is_some() {
        return Err(codes::TEMPLATE_TWICE.bare());
    }
    let link = read("parametersLink", to, base)?;
    let found = followed((arm, cx, caller), &link, "parametersLink").await?.value;
    same_version(to, &found, &link)?;
    Ok(found.get("parameters").cloned().unwrap_or(found))
}

fn read(member: &str, to: &Value, base: Option<&Link>) -> Result<Link> {
    let text = |name| content::text(to, name);
    let query = text("queryString")?;
    let not_followed = || codes::LINK_ELSEWHERE.with([member, &to.to_string()]);
    match (text("uri")?, text("id")?, text("relativePath")?) {
        (Some(uri), None, None) => {
            let (uri, own) = uri.split_once('?').unwrap_or((&uri, ""));
            let query = query.as_deref().unwrap_or(own).trim_start_matches('?').to_owned();
            Ok(Link::Uri { uri: uri.to_owned(), query })
        }
        (None, Some(id), None) if member == "templateLink" => {
            let id = ResourceId::parse(&id).map_err(|_| not_followed())?;
            let kind = id.resource_type().unwrap_or_default();
            let is_version = kind.eq_ignore_ascii_case("Microsoft.Resources/templateSpecs/versions");
            if is_version { Ok(Link::Spec { id, path: String::new() }) } else { Err(not_followed()) }
        }
        (None, None, Some(relative)) => match base {
            Some(base) => Ok(base.beside(&relative, query.as_deref())),
            None => Err(codes::LINK_WITHOUT_BASE.with([relative])),
        },
        _ => Err(not_followed()),
    }
}

async fn followed((arm, cx, caller): (&Arm, &Cx, &Caller), link: &Link, member: &str) -> Result<Source> {
    match link {
        Link::Uri { uri, query } => {
            let whole = if query.is_empty() { uri.clone() } else { format!("{uri}?{query}") };
            let fetch =
                cx.env.documents.get().ok_or_else(|| Fault::Internal.because("nobody follows links"))?;
            match fetch(cx.env.clone(), cx.cloud.clone(), whole).await {
                Fetched::Elsewhere => Err(codes::LINK_ELSEWHERE.with([member, uri])),
                Fetched::Refused => Err(not_read(cx, uri)),
                Fetched::Bytes(bytes) => {
                    source::read(std::str::from_utf8(&bytes).map_err(|_| not_read(cx, uri))?)
                }
            }
        }
        Link::Spec { id, path } => {
            let line = (Method::GET, id.as_str(), SPEC_VERSION);
            let Answered { document, .. } = arm.inside(cx, caller, line, &Value::Null).await?;
            let value = of_spec(&document["properties"], path).ok_or_else(|| not_read(cx, &link.name()))?;
            Ok(Source { value, places: Places::default() })
        }
    }
}

fn of_spec(properties: &Value, path: &str) -> Option<Value> {
    if path.is_empty() {
        return properties.get("mainTemplate").cloned();
    }
    let is_it =
        |it: &&Value| it["path"].as_str().is_some_and(|its| joined("", its).eq_ignore_ascii_case(path));
    properties["linkedTemplates"].as_array()?.iter().find(is_it)?.get("template").cloned()
}

fn not_read(cx: &Cx, from: &str) -> Error {
    codes::LINK_NOT_READ.with([from, &cx.correlation_id.to_string()])
}

/// A link may say which version it means.
fn same_version(to: &Value, found: &Value, link: &Link) -> Result<()> {
    let (wanted, there) = (to["contentVersion"].as_str(), found["contentVersion"].as_str());
    match (wanted, there) {
        (Some(wanted), there) if there != Some(wanted) => {
            Err(codes::OTHER_CONTENT_VERSION.with([link.name().as_str(), wanted, there.unwrap_or_default()]))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beside_a_template_has_its_signature_too() {
        let link = Link::Uri {
            uri: "https://a.blob.core.windows.net/c/x/main.json".to_owned(),
            query: "sig=1".to_owned(),
        };
        for (relative, uri) in [
            ("nested.json", "https://a.blob.core.windows.net/c/x/nested.json"),
            ("../other/n.json", "https://a.blob.core.windows.net/c/other/n.json"),
            ("./n.json", "https://a.blob.core.windows.net/c/x/n.json"),
            ("../../../../n.json", "https://a.blob.core.windows.net/n.json"),
        ] {
            let expected = Link::Uri { uri: uri.to_owned(), query: "sig=1".to_owned() };
            assert_eq!(link.beside(relative, None), expected, "{relative}");
        }
        assert_eq!(link.shown(), json!({ "uri": "https://a.blob.core.windows.net/c/x/main.json" }));
    }

    #[test]
    fn a_spec_has_its_linked_templates_by_their_paths() {
        let spec = json!({ "mainTemplate": 1, "linkedTemplates": [{ "path": "./artifacts/One.json", "template": 2 }] });
        assert_eq!(of_spec(&spec, ""), Some(json!(1)));
        assert_eq!(of_spec(&spec, "artifacts/one.json"), Some(json!(2)));
        assert_eq!(of_spec(&spec, "two.json"), None);
    }
}
