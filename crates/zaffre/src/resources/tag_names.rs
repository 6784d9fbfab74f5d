//! Names of tags, and values, that were made before anything has them: `az tag create`.

use azure::error::Result;

use crate::store::{Table, Txn};

/// By name and value, both in lower case; a name by itself has the empty value. As they were written.
const TAG_NAMES: Table<(String, String), (String, String)> = Table::new("tag_names");

fn key(name: &str, value: &str) -> (String, String) {
    (name.to_lowercase(), value.to_lowercase())
}

/// Makes a name, or a value of one. False where it was there.
pub fn put(txn: &mut Txn, name: &str, value: &str) -> Result<bool> {
    let is_new = TAG_NAMES.get(txn, &key(name, value))?.is_none();
    if is_new {
        TAG_NAMES.put(txn, &key(name, value), &(name.to_owned(), value.to_owned()))?;
    }
    Ok(is_new)
}

/// Takes it away. False where it was not there.
pub fn delete(txn: &mut Txn, name: &str, value: &str) -> Result<bool> {
    let was_there = TAG_NAMES.get(txn, &key(name, value))?.is_some();
    TAG_NAMES.delete(txn, &key(name, value))?;
    Ok(was_there)
}

/// All of them, by name and then value; a name's own row has no value.
pub fn all(txn: &Txn) -> Result<Vec<(String, String)>> {
    Ok(TAG_NAMES.scan(txn, &(), None, usize::MAX)?.into_iter().map(|(_, it)| it).collect())
}
