//! The text in which the built-in roles are kept.
//!
//! ```text
//! acdd72a7-3385-48ef-bd42-f606fba81ae7 Reader        a block: id and name, then its lines
//! + */read                                           an action it grants
//! - Microsoft.Authorization/*/Delete                 an action it does not
//! d+ Microsoft.Storage/storageAccounts/…/blobs/read  a data action it grants
//! d- …                                               a data action it does not
//! if 2.0 (…)                                         the condition and its version
//! &                                                  another permission object begins
//! ```
//!
//! Blocks stand apart by an empty line. A segment that is left empty at the start of an action is
//! the one above it in the same list, and a space at the end of a line is written `%20`:
//!
//! ```text
//! + Microsoft.Compute/disks/read
//! + //write                                          Microsoft.Compute/disks/write
//! ```

use std::{fmt, iter};

use super::{Permission, RoleDefinition, RoleKind};
use crate::{
    action::Pattern,
    ids::{Guid, ResourceId},
};

/// One role's lines, not read yet.
pub struct Block<'a> {
    pub id: Guid,
    name: &'a str,
    lines: &'a str,
}

/// The line that could not be read.
#[derive(Debug, PartialEq, Eq)]
pub struct BadTable(pub String);

impl fmt::Display for BadTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a table of roles cannot have the line `{}`", self.0.escape_default())
    }
}

impl std::error::Error for BadTable {}

/// The blocks of a table, in order.
pub fn blocks(text: &str) -> impl Iterator<Item = Result<Block<'_>, BadTable>> {
    text.split("\n\n").filter(|block| !block.trim().is_empty()).map(|block| {
        let (head, lines) = block.split_once('\n').unwrap_or((block, ""));
        let bad = || BadTable(head.to_owned());
        let (id, name) = head.split_once(' ').ok_or_else(bad)?;
        Ok(Block { id: id.parse().map_err(|_| bad())?, name, lines })
    })
}

impl Block<'_> {
    pub fn name(&self) -> String {
        unescape(self.name)
    }

    /// Reads the lines and compiles the patterns in them.
    pub fn role(&self) -> Result<RoleDefinition, BadTable> {
        let mut permissions = vec![Permission::default()];
        for line in self.lines.lines() {
            if line == "&" {
                permissions.push(Permission::default());
                continue;
            }
            let permission = permissions.last_mut().expect("there is one from the start");
            read_line(permission, line).ok_or_else(|| BadTable(line.to_owned()))?;
        }
        Ok(RoleDefinition {
            id: self.id,
            name: self.name(),
            description: None,
            kind: RoleKind::BuiltIn,
            permissions,
            assignable_scopes: vec![ResourceId::root()],
        })
    }
}

fn read_line(permission: &mut Permission, line: &str) -> Option<()> {
    let (sign, text) = line.split_once(' ')?;
    if sign == "if" {
        let (version, condition) = text.split_once(' ')?;
        permission.condition_version = Some(version.to_owned());
        permission.condition = Some(unescape(condition).into());
        return Some(());
    }
    let list = match sign {
        "+" => &mut permission.actions,
        "-" => &mut permission.not_actions,
        "d+" => &mut permission.data_actions,
        "d-" => &mut permission.not_data_actions,
        _ => return None,
    };
    let above = list.last().map_or("", Pattern::as_str);
    let action = expand(&unescape(text), above);
    list.push(Pattern::from(action));
    Some(())
}

/// The table of these roles, which `blocks` reads back.
pub fn write<'a>(roles: impl IntoIterator<Item = &'a RoleDefinition>) -> String {
    roles.into_iter().map(write_block).collect::<Vec<_>>().join("\n")
}

fn write_block(role: &RoleDefinition) -> String {
    let mut text = format!("{} {}\n", role.id, escape(&role.name));
    for (index, permission) in role.permissions.iter().enumerate() {
        if index > 0 {
            text.push_str("&\n");
        }
        let lists = [
            ("+", &permission.actions),
            ("-", &permission.not_actions),
            ("d+", &permission.data_actions),
            ("d-", &permission.not_data_actions),
        ];
        for (sign, list) in lists {
            let above = iter::once("").chain(list.iter().map(Pattern::as_str));
            for (above, action) in above.zip(list) {
                text.push_str(&format!("{sign} {}\n", escape(&shorten(action.as_str(), above))));
            }
        }
        if let Some(condition) = &permission.condition {
            let version = permission.condition_version.as_deref().unwrap_or("2.0");
            text.push_str(&format!("if {version} {}\n", escape(condition.as_str())));
        }
    }
    text
}

/// Leaves out the leading segments an action shares with the one above it, but never its last.
fn shorten(action: &str, above: &str) -> String {
    let segments: Vec<&str> = action.split('/').collect();
    let shared = iter::zip(&segments[..segments.len() - 1], above.split('/'))
        .take_while(|(here, there)| *here == there)
        .count();
    "/".repeat(shared) + &segments[shared..].join("/")
}

fn expand(short: &str, above: &str) -> String {
    let mut segments: Vec<&str> = short.split('/').collect();
    let last = segments.len() - 1;
    let left_out = segments[..last].iter().take_while(|segment| segment.is_empty()).count();
    for (segment, above) in iter::zip(&mut segments[..left_out], above.split('/')) {
        *segment = above;
    }
    segments.join("/")
}

fn escape(text: &str) -> String {
    let kept = text.trim_end_matches(' ');
    kept.to_owned() + &"%20".repeat(text.len() - kept.len())
}

fn unescape(text: &str) -> String {
    let kept = text.trim_end_matches("%20");
    kept.to_owned() + &" ".repeat((text.len() - kept.len()) / 3)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};

    use super::*;

    fn permissions() -> impl Strategy<Value = Permission> {
        let list = || prop::collection::vec("[A-C*.]{1,2}(/[a-b*]{1,2}){0,4} ?", 0..6);
        let condition = prop::option::of("[ -~]{1,30}");
        (list(), list(), list(), list(), condition).prop_map(|(a, b, c, d, condition)| {
            let patterns = |list: Vec<String>| list.into_iter().map(Pattern::from).collect();
            let condition_version = condition.as_ref().map(|_| "2.0".to_owned());
            Permission {
                actions: patterns(a),
                not_actions: patterns(b),
                data_actions: patterns(c),
                not_data_actions: patterns(d),
                condition: condition.map(|text: String| text.replace('%', "-").into()),
                condition_version,
            }
        })
    }

    proptest! {
        #[test]
        fn a_table_reads_back_as_it_was_written(
            roles in prop::collection::vec(
                (any::<[u8; 16]>(), "[A-Z][a-z ]{0,9}", prop::collection::vec(permissions(), 1..4)), 0..4)
        ) {
            let roles: Vec<_> = roles.into_iter().map(|(id, name, permissions)| RoleDefinition {
                id: Guid(id), name, description: None, kind: RoleKind::BuiltIn, permissions,
                assignable_scopes: vec![ResourceId::root()],
            }).collect();
            let text = write(&roles);
            let back: Vec<_> = blocks(&text).map(|block| block.expect("a block").role().expect("a role")).collect();
            prop_assert_eq!(format!("{back:?}"), format!("{roles:?}"));
        }
    }

    #[test]
    fn a_line_of_no_known_sign_is_refused() {
        let read = |text: &str| blocks(text).map(|block| block?.role()).collect::<Result<Vec<_>, _>>();
        let id = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
        assert_eq!(read("nonsense X"), Err(BadTable("nonsense X".to_owned())));
        assert_eq!(read(&format!("{id} X\n? a/read")), Err(BadTable("? a/read".to_owned())));
        assert_eq!(read(&format!("{id} X\nif 2.0")), Err(BadTable("if 2.0".to_owned())));
    }
}
