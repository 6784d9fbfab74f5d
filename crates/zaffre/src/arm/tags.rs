//! Tags: at most fifty, text to text.

use azure::error::Result;
use serde_json::Value;

use super::codes;
use crate::resources::Tags;

const MOST: usize = 50;
const NAME_CHARS: usize = 512;
const VALUE_CHARS: usize = 256;
const RESERVED: &str = r"<>%&\?/";

/// The tags, if they may be a resource's.
pub(super) fn checked(tags: Tags) -> Result<Tags> {
    if tags.len() > MOST {
        return Err(codes::TOO_MANY_TAGS.with([tags.len().to_string()]));
    }
    let names = |is_meant: &dyn Fn(&str) -> bool| {
        tags.keys().filter(|name| is_meant(name)).map(String::as_str).collect::<Vec<_>>().join(", ")
    };
    let reserved =
        names(&|name| name.chars().any(|c| c.is_control() || RESERVED.contains(c)) || name.is_empty());
    let is_reserved = tags.contains_key("") || !reserved.is_empty();
    if is_reserved {
        return Err(codes::INVALID_TAG.with([reserved]));
    }
    let long = names(&|name| name.chars().count() > NAME_CHARS);
    if !long.is_empty() {
        return Err(codes::INVALID_TAG_NAME.with([long]));
    }
    for (name, value) in &tags {
        let Value::String(value) = value else {
            return Err(codes::INVALID_CONTENT.with([format!("The value of tag '{name}' is not text")]));
        };
        if value.chars().count() > VALUE_CHARS {
            return Err(codes::INVALID_TAG_VALUE.with([value]));
        }
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tags_that_azure_would_not_take_are_refused() {
        let many: Tags = (0..51).map(|n| (n.to_string(), json!(""))).collect();
        for (tags, code) in [
            (json!({"env": "test", "": "x"}), Some("InvalidTagNameCharacters")),
            (json!({"env": "test", "cost centre": "1<2"}), None),
            (json!({"a/b": "x"}), Some("InvalidTagNameCharacters")),
            (json!({"a": 1}), Some("InvalidRequestContent")),
            (json!({"a": "x".repeat(257)}), Some("InvalidTagValueLength")),
            (json!({ "x".repeat(513): "a" }), Some("InvalidTagName")),
            (Value::Object(many), Some("TagsExceedsMaximumCount")),
        ] {
            let Value::Object(tags) = tags else { panic!("the rows are objects") };
            assert_eq!(checked(tags).err().map(|error| error.row.code), code);
        }
    }
}
