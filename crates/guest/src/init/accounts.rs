//! Who there is in a guest: the lines of its own /etc/passwd and /etc/group, which its root may change.

use std::fs;

use crate::spec::{ADMIN_ID, User};

/// Somebody whom a command can run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// All groups, the first one among them.
    pub(super) groups: Vec<u32>,
    pub(super) home: String,
    pub(super) shell: String,
}

/// The two that every guest has; what the files say of them, where they say anything.
pub(super) fn of(user: User, admin: &str) -> Account {
    let (name, id) = match user {
        User::Root => ("root", 0),
        User::Admin => (admin, ADMIN_ID),
    };
    named(name).filter(|it| it.uid == id).unwrap_or_else(|| Account {
        name: name.to_string(),
        uid: id,
        gid: id,
        groups: vec![id],
        home: if id == 0 { "/root".to_string() } else { format!("/home/{name}") },
        shell: SHELL.to_string(),
    })
}

pub(super) fn named(name: &str) -> Option<Account> {
    find(&read(PASSWD), &read(GROUP), |it| it[0] == name)
}

pub(super) fn with_id(uid: u32) -> Option<Account> {
    find(&read(PASSWD), &read(GROUP), |it| it[2].parse() == Ok(uid))
}

/// Whether this account may become another by `sudo`.
pub(super) fn may_become_others(account: &Account) -> bool {
    let all = read(GROUP);
    let sudo = all.lines().find_map(|line| line.strip_prefix("sudo:")?.split(':').nth(1)?.parse().ok());
    account.uid == 0 || account.uid == ADMIN_ID || sudo.is_some_and(|it: u32| account.groups.contains(&it))
}

pub(super) const SHELL: &str = "/bin/bash";
const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// passwd(5): name, password, uid, gid, comment, home, shell; group(5): name, password, gid, members.
fn find(passwd: &str, group: &str, is_meant: impl Fn(&[&str]) -> bool) -> Option<Account> {
    let fields = |line: &'_ str| line.split(':').map(str::to_string).collect::<Vec<_>>();
    let found = passwd.lines().map(fields).find(|it| {
        let fields: Vec<&str> = it.iter().map(String::as_str).collect();
        fields.len() == 7 && is_meant(&fields)
    })?;
    let (uid, gid) = (found[2].parse().ok()?, found[3].parse().ok()?);
    let named = group.lines().filter_map(|line| {
        let mut fields = line.split(':').skip(2);
        let (gid, members) = (fields.next()?.parse::<u32>().ok()?, fields.next()?);
        members.split(',').any(|it| it == found[0]).then_some(gid)
    });
    let groups = std::iter::once(gid).chain(named.filter(|it| *it != gid)).collect();
    let shell = if found[6].is_empty() { SHELL } else { &found[6] };
    let (name, home) = (found[0].clone(), found[5].clone());
    Some(Account { name, uid, gid, groups, home, shell: shell.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_the_groups_that_name_it() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nbroken:x:1\ngrace:x:1001:1001::/home/grace:/bin/sh\nempty:x:9:9::/:\n";
        let group = "root:x:0:\nsudo:x:27:azureuser,grace\ndocker:x:99:gracehopper\ngrace:x:1001:grace\n";
        let grace = find(passwd, group, |it| it[0] == "grace").unwrap();
        assert_eq!((grace.uid, grace.groups, grace.shell.as_str()), (1001, vec![1001, 27], "/bin/sh"));
        assert_eq!(find(passwd, group, |it| it[2] == "9").unwrap().shell, SHELL);
        assert!(find(passwd, group, |it| it[0] == "broken").is_none());
        assert!(find(passwd, group, |it| it[0] == "nobody").is_none());
    }
}
