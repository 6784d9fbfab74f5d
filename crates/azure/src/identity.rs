//! The `identity` block that any resource may carry.
//!
//! ```text
//! body --parse(shape)--> Block --put or merge_patch(current)--> Desired --the caller makes
//! and removes principals--> Identity --render(shape)--> body
//! ```
//!
//! A `Shape` is how an api-version spells the block. Nothing here makes principals: `Desired` says
//! which identities there should be, `added` which of them are new and so must be checked and made.
//!
//! PATCH follows what every measured request of az needs (az-cli.md §7): `type` decides which kinds
//! remain; the map merges key by key; a null value removes that id; a null map is the same as none.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    api_version::ApiVersion,
    ids::{ClientId, ObjectId, ResourceId, TenantId},
};

/// A resource's identities as they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub system: Option<SystemPrincipal>,
    /// `None` stands for an identity that is no more.
    pub user: BTreeMap<ResourceId, Option<(ObjectId, ClientId)>>,
}

/// The principal that is born and dies with its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemPrincipal {
    pub principal_id: ObjectId,
    pub client_id: ClientId,
    pub tenant: TenantId,
}

/// Which identities there should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    pub system: bool,
    pub user: BTreeSet<ResourceId>,
}

/// How an api-version spells the block (resources.md §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Not at all.
    Absent,
    /// `type` alone, and only `SystemAssigned`.
    SystemOnly,
    /// `identityIds`, the whole list each time.
    Ids,
    /// `userAssignedIdentities`, merged by PATCH.
    Map,
}

impl Shape {
    /// The shape of `Microsoft.Compute`'s versions.
    pub fn of_compute(version: &ApiVersion) -> Shape {
        const SHAPES: [(ApiVersion, Shape); 3] = [
            (ApiVersion::of("2018-06-01"), Shape::Map),
            (ApiVersion::of("2017-12-01"), Shape::Ids),
            (ApiVersion::of("2016-04-30-preview"), Shape::SystemOnly),
        ];
        SHAPES.into_iter().find(|(first, _)| version >= first).map_or(Shape::Absent, |(_, shape)| shape)
    }
}

/// An `identity` block as a request carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What `type` says, where it is there.
    kinds: Option<Kinds>,
    users: Users,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kinds {
    system: bool,
    user: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Users {
    Unsaid,
    Whole(BTreeSet<ResourceId>),
    /// `false` removes.
    Changes(BTreeMap<ResourceId, bool>),
}

/// Why a block cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadIdentity {
    /// The block, its map, its list or one of their entries is not of the right JSON type.
    Malformed(&'static str),
    /// `type` names no kind there is, or none this api-version knows.
    Type(String),
    /// There are ids, or a block, and no `type`.
    MissingType,
    /// Not the id of a user-assigned identity.
    NotAnIdentity(String),
    /// `UserAssigned`, and no id is left.
    NoIds,
    /// Ids to add, and `type` does not say `UserAssigned`.
    IdsWithoutUserAssigned,
}

impl fmt::Display for BadIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadIdentity::Malformed(what) => write!(f, "`{what}` is not of its type"),
            BadIdentity::Type(text) => write!(f, "`{}` is no type of identity", text.escape_default()),
            BadIdentity::MissingType => f.write_str("the identity has no type"),
            BadIdentity::NotAnIdentity(id) => {
                write!(f, "`{}` is no user-assigned identity", id.escape_default())
            }
            BadIdentity::NoIds => f.write_str("`UserAssigned` needs at least one identity"),
            BadIdentity::IdsWithoutUserAssigned => {
                f.write_str("identities are given and `UserAssigned` is not")
            }
        }
    }
}

impl std::error::Error for BadIdentity {}

impl Block {
    /// Reads a request's `identity`. None where it is absent or null, which leaves things as they are,
    /// and where the shape knows no such block.
    pub fn parse(value: Option<&Value>, shape: Shape) -> Result<Option<Block>, BadIdentity> {
        let block = match value {
            None | Some(Value::Null) => return Ok(None),
            _ if shape == Shape::Absent => return Ok(None),
            Some(value) => value.as_object().ok_or(BadIdentity::Malformed("identity"))?,
        };
        let kinds = kinds_of(block.get("type"), shape)?;
        let users = match shape {
            Shape::Absent | Shape::SystemOnly => Users::Unsaid,
            Shape::Ids => whole(block.get("identityIds"))?,
            Shape::Map => changes(block.get("userAssignedIdentities"))?,
        };
        Ok(Some(Block { kinds, users }))
    }
}

/// Reads `type`: one of four spellings, in any case, with or without a blank behind the comma.
fn kinds_of(value: Option<&Value>, shape: Shape) -> Result<Option<Kinds>, BadIdentity> {
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value.as_str().ok_or(BadIdentity::Malformed("type"))?,
    };
    let mut kinds = Kinds { system: false, user: false };
    if !text.eq_ignore_ascii_case("None") {
        for word in text.split(',').map(str::trim) {
            match word.to_ascii_lowercase().as_str() {
                "systemassigned" => kinds.system = true,
                "userassigned" if shape != Shape::SystemOnly => kinds.user = true,
                _ => return Err(BadIdentity::Type(text.to_owned())),
            }
        }
    }
    Ok(Some(kinds))
}

fn whole(value: Option<&Value>) -> Result<Users, BadIdentity> {
    let list = match value {
        None | Some(Value::Null) => return Ok(Users::Unsaid),
        Some(value) => value.as_array().ok_or(BadIdentity::Malformed("identityIds"))?,
    };
    let id = |value: &Value| identity_id(value.as_str().ok_or(BadIdentity::Malformed("identityIds"))?);
    list.iter().map(id).collect::<Result<_, _>>().map(Users::Whole)
}

fn changes(value: Option<&Value>) -> Result<Users, BadIdentity> {
    let map = match value {
        None | Some(Value::Null) => return Ok(Users::Unsaid),
        Some(value) => value.as_object().ok_or(BadIdentity::Malformed("userAssignedIdentities"))?,
    };
    let change = |(id, value): (&String, &Value)| match value {
        Value::Null => Ok((identity_id(id)?, false)),
        Value::Object(_) => Ok((identity_id(id)?, true)),
        _ => Err(BadIdentity::Malformed("userAssignedIdentities")),
    };
    map.iter().map(change).collect::<Result<_, _>>().map(Users::Changes)
}

fn identity_id(text: &str) -> Result<ResourceId, BadIdentity> {
    let is_identity = |id: &ResourceId| {
        let kind = id.resource_type().unwrap_or_default();
        kind.eq_ignore_ascii_case("Microsoft.ManagedIdentity/userAssignedIdentities")
            && id.is_resource()
            && id.resource_group().is_some()
    };
    ResourceId::parse(text)
        .ok()
        .filter(is_identity)
        .ok_or_else(|| BadIdentity::NotAnIdentity(text.to_owned()))
}

/// What a PUT asks for. Without a block things stay as they are (resources.md §2.1, unverified).
pub fn put(current: &Desired, block: Option<&Block>) -> Result<Desired, BadIdentity> {
    let Some(block) = block else { return Ok(current.clone()) };
    let kinds = block.kinds.ok_or(BadIdentity::MissingType)?;
    let user = match &block.users {
        Users::Unsaid => BTreeSet::new(),
        Users::Whole(ids) => ids.clone(),
        Users::Changes(changes) => kept(changes).cloned().collect(),
    };
    desired(kinds, styled_as(&current.user, user), &block.users)
}

/// What a PATCH asks for.
pub fn merge_patch(current: &Desired, block: Option<&Block>) -> Result<Desired, BadIdentity> {
    let Some(block) = block else { return Ok(current.clone()) };
    let mut user = current.user.clone();
    match &block.users {
        Users::Unsaid => {}
        Users::Whole(ids) => user = styled_as(&current.user, ids.clone()),
        Users::Changes(changes) => {
            user.retain(|id| changes.get(id) != Some(&false));
            // An id that is there already keeps its own casing: a set does not replace an equal element.
            user.extend(kept(changes).cloned());
        }
    }
    let kinds = block.kinds.unwrap_or(Kinds { system: current.system, user: !user.is_empty() });
    desired(kinds, user, &block.users)
}

fn desired(kinds: Kinds, user: BTreeSet<ResourceId>, said: &Users) -> Result<Desired, BadIdentity> {
    let adds_some = match said {
        Users::Unsaid => false,
        Users::Whole(ids) => !ids.is_empty(),
        Users::Changes(changes) => kept(changes).next().is_some(),
    };
    match (kinds.user, user.is_empty()) {
        (true, true) => Err(BadIdentity::NoIds),
        (true, false) => Ok(Desired { system: kinds.system, user }),
        (false, _) if adds_some => Err(BadIdentity::IdsWithoutUserAssigned),
        (false, _) => Ok(Desired { system: kinds.system, user: BTreeSet::new() }),
    }
}

fn kept(changes: &BTreeMap<ResourceId, bool>) -> impl Iterator<Item = &ResourceId> {
    changes.iter().filter(|(_, keep)| **keep).map(|(id, _)| id)
}

/// The ids, those that were there already in the casing they had.
fn styled_as(current: &BTreeSet<ResourceId>, ids: BTreeSet<ResourceId>) -> BTreeSet<ResourceId> {
    ids.into_iter().map(|id| current.get(&id).cloned().unwrap_or(id)).collect()
}

/// The ids that are wanted and not there yet: each needs the caller's right to assign it.
pub fn added<'d>(current: &Desired, desired: &'d Desired) -> Vec<&'d ResourceId> {
    desired.user.iter().filter(|id| !current.user.contains(*id)).collect()
}

impl Identity {
    /// Which identities there are.
    pub fn desired(&self) -> Desired {
        Desired { system: self.system.is_some(), user: self.user.keys().cloned().collect() }
    }

    /// The block of an answer; none where there is no identity, or none the shape can tell of.
    pub fn render(&self, shape: Shape) -> Option<Value> {
        let shows_user = matches!(shape, Shape::Ids | Shape::Map) && !self.user.is_empty();
        let system = self.system.filter(|_| shape != Shape::Absent);
        let kind = match (system, shows_user) {
            (Some(_), true) => "SystemAssigned, UserAssigned",
            (Some(_), false) => "SystemAssigned",
            (None, true) => "UserAssigned",
            (None, false) => return None,
        };
        let mut block = Map::from_iter([("type".to_owned(), json!(kind))]);
        if let Some(system) = system {
            block.insert("principalId".to_owned(), json!(system.principal_id));
            block.insert("tenantId".to_owned(), json!(system.tenant));
        }
        if shows_user && shape == Shape::Ids {
            block.insert("identityIds".to_owned(), self.user.keys().map(ResourceId::as_str).collect());
        } else if shows_user {
            block.insert("userAssignedIdentities".to_owned(), self.render_map());
        }
        Some(Value::Object(block))
    }

    fn render_map(&self) -> Value {
        let entry = |entry: &Option<(ObjectId, ClientId)>| match entry {
            Some((principal, client)) => json!({"principalId": principal, "clientId": client}),
            None => json!({}),
        };
        self.user.iter().map(|(id, value)| (id.to_string(), entry(value))).collect()
    }
}

#[cfg(test)]
mod tests;
