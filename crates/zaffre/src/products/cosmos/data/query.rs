//! Queries that need no engine, and the bodies of metadata.
//!
//! `SELECT * FROM c`, with `WHERE c.property = constant` where the rows are few and whole (databases,
//! collections, offers): that is what SDKs and the old command line ask of metadata by themselves. Anything
//! else waits for the query engine and is refused by name, since half an answer would look like a whole one.

use azure::error::Result;
use serde_json::{Map, Value};

use crate::products::cosmos::{codes, item};

/// `SELECT * FROM c [WHERE c.property = constant]`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Query {
    pub(super) filter: Option<(String, Value)>,
}

impl Query {
    pub(super) fn takes(&self, shown: &Map<String, Value>) -> bool {
        self.filter.as_ref().is_none_or(|(name, value)| shown.get(name) == Some(value))
    }
}

/// A body that is an object.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>> {
    let text = item::text_of(body)?;
    serde_json::from_str(text).map_err(|error| codes::BAD_JSON.with([error.to_string()]))
}

/// Reads a query's body: `{"query": "…", "parameters": [{"name": "@p", "value": …}]}`.
pub(super) fn parse(body: &[u8]) -> Result<Query> {
    let body = object(body)?;
    let Some(text) = body.get("query").and_then(Value::as_str) else { return Err(codes::BAD_QUERY.bare()) };
    let tokens = tokens(text).ok_or_else(|| not_yet(text))?;
    let parameters = body.get("parameters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    understood(&tokens, parameters)?.ok_or_else(|| not_yet(text))
}

fn not_yet(text: &str) -> azure::error::Error {
    let start: String = text.chars().take(200).collect();
    codes::not_yet(format!("the SQL query engine, which '{start}' needs"))
}

#[derive(Clone, Debug, PartialEq)]
enum Token<'t> {
    Word(&'t str),
    Parameter(&'t str),
    Text(String),
    Sign(char),
}

/// None where something is in the text that our few queries have not.
fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end_of = |from: &str| from.find(|c| !is_word(c)).unwrap_or(from.len());
        let (token, length) = match first {
            '*' | '.' | '=' => (Token::Sign(first), 1),
            '@' => {
                let end = 1 + end_of(&rest[1..]);
                (Token::Parameter(&rest[..end]), end)
            }
            '"' | '\'' => {
                let end = 1 + rest[1..].find(first)?;
                // An escape is the engine's business.
                let inner = Some(&rest[1..end]).filter(|inner| !inner.contains('\\'))?;
                (Token::Text(inner.to_owned()), end + 1)
            }
            c if c.is_ascii_alphabetic() || c == '_' => (Token::Word(&rest[..end_of(rest)]), end_of(rest)),
            _ => return None,
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Some(tokens)
}

/// None for a query of another shape; an error for one whose parameter is missing.
fn understood(tokens: &[Token<'_>], parameters: &[Value]) -> Result<Option<Query>> {
    use Token::{Sign, Word};
    let is = |word: &str, known: &str| word.eq_ignore_ascii_case(known);
    let (from, rest) = match tokens {
        [Word(select), Sign('*'), Word(from), Word(root), rest @ ..]
            if is(select, "select") && is(from, "from") && !is_keyword(root) =>
        {
            (*root, rest)
        }
        _ => return Ok(None),
    };
    let (alias, rest) = match rest {
        [Word(r#as), Word(alias), rest @ ..] if is(r#as, "as") && !is_keyword(alias) => (*alias, rest),
        [Word(alias), rest @ ..] if !is_keyword(alias) => (*alias, rest),
        rest => (from, rest),
    };
    match rest {
        [] => Ok(Some(Query { filter: None })),
        [Word(r#where), Word(of), Sign('.'), Word(name), Sign('='), value]
            if is(r#where, "where") && *of == alias =>
        {
            Ok(constant(value, parameters)?.map(|value| Query { filter: Some(((*name).to_owned(), value)) }))
        }
        _ => Ok(None),
    }
}

fn is_keyword(word: &str) -> bool {
    const KEYWORDS: [&str; 14] = [
        "select", "distinct", "top", "value", "from", "where", "join", "in", "as", "group", "order", "by",
        "offset", "limit",
    ];
    KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

fn constant(token: &Token<'_>, parameters: &[Value]) -> Result<Option<Value>> {
    match token {
        Token::Text(text) => Ok(Some(Value::from(text.as_str()))),
        Token::Parameter(name) => {
            let given = parameters.iter().find(|it| it["name"].as_str() == Some(name));
            let value = given.and_then(|it| it.get("value")).cloned();
            value.map(Some).ok_or_else(|| codes::MISSING_PARAMETER.with([*name]))
        }
        Token::Word(_) | Token::Sign(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(query: &str, parameters: Value) -> Result<Query> {
        parse(json!({ "query": query, "parameters": parameters }).to_string().as_bytes())
    }

    #[test]
    fn what_sdks_ask_of_metadata_is_understood() {
        let by = |name: &str, value: &str| Some((name.to_owned(), json!(value)));
        for (query, filter) in [
            ("SELECT * FROM c", None),
            ("select * from root", None),
            ("  SELECT *\nFROM root r ", None),
            ("SELECT * FROM root AS r", None),
            ("SELECT * FROM root r WHERE r.resource=@link", by("resource", "dbs/x/")),
            (r#"SELECT * from root where root.resource = "dbs/x/""#, by("resource", "dbs/x/")),
            ("SELECT * FROM root r WHERE r.id = 'orders'", by("id", "orders")),
        ] {
            let found = read(query, json!([{ "name": "@link", "value": "dbs/x/" }])).expect(query);
            assert_eq!(found.filter, filter, "{query}");
        }
    }

    #[test]
    fn what_needs_an_engine_says_so() {
        for query in [
            "SELECT c.id FROM c",
            "SELECT VALUE COUNT(1) FROM c",
            "SELECT TOP 1 * FROM c",
            "SELECT * FROM c ORDER BY c.id",
            "SELECT * FROM c WHERE c.id = 'a' AND c.x = 'b'",
            "SELECT * FROM c WHERE d.id = 'a'",
            "SELECT * FROM c WHERE c.id = 1",
            r"SELECT * FROM c WHERE c.id = 'a\n'",
            "SELECT *",
            "SELECT 1",
            "",
        ] {
            let refused = read(query, json!([])).expect_err(query);
            assert!(std::ptr::eq(refused.row, &codes::NOT_IMPLEMENTED.row), "{query}: {refused}");
        }
        let missing = read("SELECT * FROM c WHERE c.id = @id", json!([])).expect_err("no such parameter");
        assert!(std::ptr::eq(missing.row, &codes::MISSING_PARAMETER.row));
        for body in ["", "[]", "{}", r#"{"query":1}"#] {
            assert_eq!(parse(body.as_bytes()).expect_err(body).row.status, 400, "{body}");
        }
    }
}
