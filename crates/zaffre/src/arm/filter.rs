//! `$filter`, `$top` and `$skiptoken` of Resource Manager's lists.

use azure::{
    error::Result,
    ids::ResourceId,
    odata::{Filter, Value},
    text,
};
use serde_json::Value as Json;

use super::codes;
use crate::resources::Resource;

/// Rows of one page, where the client asks for no fewer.
pub(super) const PAGE: usize = 1000;

/// Rows that are read at a time: a page, and the one behind it that says there is another.
pub(super) const STRETCH: usize = PAGE + 1;

/// Which part of a list is asked for.
pub(super) struct Page {
    pub limit: usize,
    /// Behind which row it begins.
    pub after: Option<String>,
}

pub(super) fn query<'q>(query: &'q [(String, String)], name: &str) -> Option<&'q str> {
    query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// The filter of the query; none where it is absent or empty.
pub(super) fn filter(asked: &[(String, String)]) -> Result<Option<Filter>> {
    let Some(text) = query(asked, "$filter").filter(|it| !it.trim().is_empty()) else { return Ok(None) };
    Filter::parse(text).map(Some).map_err(|bad| codes::INVALID_FILTER.with([text]).because(bad))
}

impl Page {
    pub(super) fn of(asked: &[(String, String)]) -> Result<Page> {
        let limit = match query(asked, "$top") {
            None => PAGE,
            Some(text) => match text.parse::<usize>() {
                Ok(top) if top > 0 => top.min(PAGE),
                _ => return Err(codes::INVALID_TOP.with([text])),
            },
        };
        let read = |token: &str| {
            let bytes = text::base64url_decode(token).and_then(|bytes| String::from_utf8(bytes).ok());
            bytes.ok_or_else(|| codes::INVALID_SKIP_TOKEN.with([token]))
        };
        Ok(Page { limit, after: query(asked, "$skiptoken").map(read).transpose()? })
    }

    /// As an id, for lists that are in the order of ids.
    pub(super) fn after_id(&self) -> Result<Option<ResourceId>> {
        let read =
            |text: &String| ResourceId::parse(text).map_err(|_| codes::INVALID_SKIP_TOKEN.with([text]));
        self.after.as_ref().map(read).transpose()
    }
}

/// Where the next page is: the same question, behind this row.
pub(super) fn next_link(origin: &str, path: &str, asked: &[(String, String)], last: &str) -> String {
    let mut pairs: Vec<String> = asked
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("$skiptoken"))
        .map(|(name, value)| {
            format!("{}={}", text::percent_encode_but(name, "$"), text::percent_encode_but(value, ""))
        })
        .collect();
    pairs.push(format!("$skiptoken={}", text::base64url(last)));
    format!("{origin}{}?{}", text::percent_encode_but(path, "/"), pairs.join("&"))
}

/// What generic lists may be filtered by (arm.md §8).
pub(super) fn is_wanted(filter: &Filter, resource: &Resource) -> bool {
    let plain = |text: &str| vec![Value::Text(text.to_owned())];
    let tags = || resource.tags.iter().flatten();
    filter.matches(&|path| match path {
        "resourcetype" => plain(&resource.kind_name),
        "name" => plain(resource.name()),
        "resourcegroup" => plain(resource.id.resource_group().unwrap_or_default()),
        "location" => plain(resource.location.as_deref().unwrap_or_default()),
        "tagname" => tags().map(|(name, _)| Value::Text(name.clone())).collect(),
        "tagvalue" => tags().filter_map(|(_, value)| Some(Value::Text(value.as_str()?.to_owned()))).collect(),
        "identity" | "identity/principalid" => match resource.identity.as_ref().and_then(|it| it.system) {
            Some(system) => plain(&system.principal_id.to_string()),
            None => Vec::new(),
        },
        other => json_at(resource, other),
    })
}

fn json_at(resource: &Resource, path: &str) -> Vec<Value> {
    let sku = |name: &str| resource.sku.as_ref().and_then(|it| it.get(name)).and_then(Json::as_str);
    let found = match path {
        "kind" => resource.kind.as_deref(),
        "managedby" => resource.managed_by.as_deref(),
        "sku/name" => sku("name"),
        "sku/tier" => sku("tier"),
        _ => None,
    };
    found.map(|text| Value::Text(text.to_owned())).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_link_keeps_the_question_and_moves_the_place() {
        let asked =
            [("api-version", "2024-11-01"), ("$top", "2"), ("$SkipToken", "old"), ("$filter", "name eq 'a'")];
        let asked = asked.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let link = next_link("https://host", "/subscriptions/s/resources", &asked, "/a");
        let token = text::base64url("/a");
        assert_eq!(
            link,
            format!(
                "https://host/subscriptions/s/resources?api-version=2024-11-01&$top=2&$filter=name%20eq%20%27a%27&$skiptoken={token}"
            )
        );
    }

    #[test]
    fn a_top_that_is_no_number_is_refused() {
        for top in ["0", "-1", "x", ""] {
            let asked = [("$top".to_owned(), top.to_owned())];
            assert!(Page::of(&asked).is_err(), "{top}");
        }
    }
}
