//! `denyAssignments`: shown, and made by nobody here (rbac.md §3).

use azure::{
    error::{Result, Row},
    ids::{ObjectId, ResourceId},
    odata::{Filter, Value as Operand},
    rbac::EVERYONE,
};
use serde_json::{Value, json};

use super::{filter_of, near};
use crate::{
    access::denials::{self, Denial},
    arm::kind::{Edit, Look, Own, Written},
    directory::groups,
};

static NOT_FOUND: Row = Row {
    code: "DenyAssignmentNotFound",
    status: 404,
    template: "The deny assignment '{0}' is not found.",
    source: "unverified",
};
static NOT_YOURS: Row = Row {
    code: "DenyAssignmentNotAllowed",
    status: 400,
    template: "Deny assignments are created and managed by Azure, and cannot be created, changed or deleted directly.",
    source: "documented: deny-assignments.md; code and wording unverified",
};
static BAD_FILTER: Row = Row {
    code: "UnsupportedQuery",
    status: 400,
    template: "The filter '{0}' is not supported.",
    source: "as for role assignments; here unverified",
};

/// What the list may be asked for, and together (list-deny-assignments).
const FILTERS: &[&[&str]] =
    &[&["atscope"], &["assignedto"], &["principalid"], &["denyassignmentname"], &["assignedto", "atscope"]];

pub(super) static OWN: Own = Own {
    get: |look| Ok(denials::get(look.txn, look.id)?.map(|it| shown(&it))),
    list,
    put: |_| -> Result<Written> { Err((&NOT_YOURS).into()) },
    patch: None,
    delete,
    delete_shows: false,
    absent: Some(|id: &ResourceId| NOT_FOUND.with([id.name()])),
};

fn delete(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    match denials::get(edit.txn, edit.id)? {
        Some(_) => Err((&NOT_YOURS).into()),
        None => Ok(None),
    }
}

/// Those near the scope (`near`) that the filter wants.
fn list(look: &Look<'_>) -> Result<Vec<Value>> {
    let filter = filter_of(look, FILTERS, &BAD_FILTER)?;
    let near = near(look, filter.as_ref())?;
    let reached = match filter.as_ref().and_then(|it| it.call("assignedTo")) {
        Some(principal) => Some(reached_by(look, principal)?),
        None => None,
    };
    let reaches = |it: &Denial| {
        let is_meant = |id: &ObjectId| *id == EVERYONE || reached.iter().flatten().any(|mine| mine == id);
        reached.is_none() || it.principals.iter().any(is_meant)
    };
    let wanted = |it: &&Denial| {
        near(&it.scope) && reaches(it) && filter.as_ref().is_none_or(|filter| is_wanted(filter, it))
    };
    Ok(denials::all(look.txn)?.iter().filter(wanted).map(shown).collect())
}

/// The ids by which a deny assignment reaches a principal: its own and its groups'.
fn reached_by(look: &Look<'_>, principal: Option<&Operand>) -> Result<Vec<ObjectId>> {
    let text = match principal {
        Some(Operand::Text(text)) => text.as_str(),
        _ => "",
    };
    let id = ObjectId(text.parse().map_err(|_| BAD_FILTER.with([format!("assignedTo('{text}')")]))?);
    let mut ids = groups::of(look.txn, id)?;
    ids.push(id);
    Ok(ids)
}

fn is_wanted(filter: &Filter, it: &Denial) -> bool {
    filter.matches(&|path| match path {
        "denyassignmentname" => vec![Operand::Text(it.title.clone())],
        "principalid" => it.principals.iter().map(|id| Operand::Text(id.to_string())).collect(),
        _ => Vec::new(),
    })
}

fn shown(it: &Denial) -> Value {
    let principal = |id: &ObjectId| match *id {
        EVERYONE => json!({ "id": id, "type": "SystemDefined" }),
        _ => json!({ "id": id }),
    };
    let principals = |all: &[ObjectId]| all.iter().map(principal).collect::<Vec<_>>();
    json!({
        "properties": {
            "denyAssignmentName": it.title,
            "description": it.description,
            "permissions": it.permissions,
            "scope": it.scope,
            "doNotApplyToChildScopes": it.does_not_apply_to_child_scopes,
            "principals": principals(&it.principals),
            "excludePrincipals": principals(&it.excluded_principals),
            "isSystemProtected": it.is_system_protected,
        },
        "id": it.id,
        "type": "Microsoft.Authorization/denyAssignments",
        "name": it.name,
    })
}
