//! Template specs: templates that are kept as resources, each with versions, to be deployed by id.

use azure::{api_version::ApiVersion, error::Result, ids::ResourceId};
use serde_json::{Map, Value, json};

use super::{
    codes, filter,
    kind::{Change, Kind, Located, Patch, View},
};
use crate::resources;

const fn v(text: &'static str) -> ApiVersion {
    ApiVersion::of(text)
}

static VERSIONS: [ApiVersion; 4] =
    [v("2019-06-01-preview"), v("2021-03-01-preview"), v("2021-05-01"), v("2022-02-01")];

pub(super) const SPEC: Kind = Kind {
    view: shown,
    beside: system_data,
    shows_state: false,
    patch: Patch::TagsOnly,
    ..Kind::tracked("templateSpecs", &VERSIONS)
};

pub(super) const VERSION: Kind = Kind {
    location: Located::Required,
    put: with_template,
    beside: system_data,
    shows_state: false,
    patch: Patch::TagsOnly,
    ..Kind::child("templateSpecs/versions", &VERSIONS)
};

/// A version is its template; what is in it is judged when it is deployed.
fn with_template(change: &mut Change<'_>) -> Result<()> {
    match change.next.property("mainTemplate") {
        Some(Value::Object(_)) => Ok(()),
        Some(_) => Err(codes::INVALID_CONTENT.with(["The member 'mainTemplate' is not an object"])),
        None => Err(codes::INVALID_CONTENT.with(["Required property 'mainTemplate' not found in JSON"])),
    }
}

/// `$expand=versions` tells what versions there are.
fn shown(view: &View<'_>) -> Result<Map<String, Value>> {
    let mut shown = view.resource.properties.clone();
    let expands = filter::query(view.query, "$expand").is_some_and(|it| it.eq_ignore_ascii_case("versions"));
    if expands {
        shown.insert("versions".to_owned(), Value::Object(versions(view, &view.resource.id)?));
    }
    Ok(shown)
}

fn versions(view: &View<'_>, spec: &ResourceId) -> Result<Map<String, Value>> {
    let kind = "Microsoft.Resources/templateSpecs/versions";
    let all = resources::of_type(view.txn, kind, spec, None, usize::MAX)?;
    let told = all.into_iter().map(|it| {
        let mut about = json!({ "timeCreated": it.created.iso(), "timeModified": it.changed.iso() });
        if let Some(description) = it.text("description") {
            about["description"] = json!(description);
        }
        (it.name().to_owned(), about)
    });
    Ok(told.collect())
}

fn system_data(view: &View<'_>) -> Result<Map<String, Value>> {
    let resource = view.resource;
    let mut data = json!({ "createdAt": resource.created.iso(), "lastModifiedAt": resource.changed.iso() });
    if let Some(who) = resource.created_by {
        data["createdBy"] = json!(who);
    }
    Ok(Map::from_iter([("systemData".to_owned(), data)]))
}
