//! The language around the functions: what is an expression, how it prints, what is refused.

use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json};

use super::{
    Call, Context, Expression, Plan,
    context::{self, Place},
    parse::{self, Text},
    source,
};
use crate::{error::Error, ids::Guid, time::Timestamp};

pub(super) fn context() -> Context {
    let subscription = "00000000-0000-0000-0000-000000000001";
    Context {
        place: Place::Group { subscription: subscription.to_owned(), group: "rg".to_owned() },
        deployment: json!({ "name": "main", "properties": { "mode": "Incremental" } }),
        deployer: json!({ "objectId": "00000000-0000-0000-0000-0000000000d1" }),
        tenant: json!({ "tenantId": "00000000-0000-0000-0000-00000000000a" }),
        subscription: json!({ "id": format!("/subscriptions/{subscription}"), "subscriptionId": subscription }),
        group: json!({ "id": format!("/subscriptions/{subscription}/resourceGroups/rg"), "name": "rg", "location": "westeurope" }),
        management_group: Value::Null,
        environment: context::public_cloud(),
        providers: json!([{ "namespace": "Microsoft.Storage", "resourceTypes": [{ "resourceType": "storageAccounts", "apiVersions": ["2023-01-01"] }] }]),
        now: Timestamp::from_seconds(1_551_808_398),
        chance: Guid([7; 16]),
    }
}

pub(super) fn expanded(template: &Value, parameters: &Value, context: &Context) -> Result<Plan, Error> {
    let text = serde_json::to_string_pretty(template).expect("is JSON");
    let source = source::read(&text)?;
    super::expand(&source.value, &source.places, parameters, context)
}

#[test]
fn a_string_is_an_expression_between_brackets_and_text_otherwise() {
    for (source, plain) in [
        ("text", Some("text")),
        ("[[text]", Some("[text]")),
        ("[text", Some("[text")),
        ("text]", Some("text]")),
        ("[[", Some("[")),
        ("[add(1, 2)]", None),
        ("[ 'a' ]", None),
    ] {
        match (parse::text(source).expect("is well formed"), plain) {
            (Text::Plain(found), Some(plain)) => assert_eq!(found, plain),
            (Text::Expression(_), None) => {}
            (found, _) => panic!("{source}: {found:?}"),
        }
    }
}

#[test]
fn what_is_malformed_is_refused_with_the_token_that_was_not_expected() {
    for (text, message) in [
        ("[concat('a']", "expected token 'RightParenthesis' and actual 'EndOfData'"),
        ("[concat]", "expected token 'LeftParenthesis' and actual 'EndOfData'"),
        ("[add(1 2)]", "expected token 'RightParenthesis' and actual 'Integer'"),
        ("[]", "expected token 'Identifier' and actual 'EndOfData'"),
        ("[a().]", "expected token 'Identifier' and actual 'EndOfData'"),
        ("[a()[1]", "expected token 'RightSquareBracket' and actual 'EndOfData'"),
        ("[a() b()]", "expected token 'EndOfData' and actual 'Identifier'"),
        ("[a(,)]", "expected token 'Identifier' and actual 'Comma'"),
        ("['a]", "the string literal at position '0' is not terminated"),
        ("[a(!)]", "the character '!' at position '2' is not expected"),
        ("[99999999999999999999]", "the character '9' at position '0' is not expected"),
    ] {
        let error = parse::text(text).expect_err("is malformed");
        assert!(error.message().contains(message), "{text}: {}", error.message());
    }
    let long = format!("['{}']", "x".repeat(parse::LIMIT));
    assert!(
        parse::text(&long).expect_err("is long").message().contains("Limit: '24576' and actual: '24580'")
    );
    let deep = format!("[{}1{}]", "not(".repeat(500), ")".repeat(500));
    assert!(parse::text(&deep).expect_err("is deep").message().contains("nested too deeply"));
    let chain = format!("[a(){}]", ".b".repeat(5000));
    assert!(parse::text(&chain).expect_err("is a long chain").message().contains("nested too deeply"));
}

#[test]
fn a_document_may_be_written_as_people_and_az_write_it() {
    let text = "\u{feff}// a comment\n{ /* another */ template: {'a': 1, \"b\": [1, 2,],},\n  \"text\": \"over\n lines \\u00e9\\ud83d\\ude00\", n: -1.5e3, }";
    let found = source::read(text).expect("is lenient JSON");
    assert_eq!(
        found.value,
        json!({"template": {"a": 1, "b": [1, 2]}, "text": "over\n lines \u{e9}\u{1f600}", "n": -1500.0})
    );
    assert_eq!((found.places.of("/template").line, found.places.of("/template").column), (2, 27));
    assert_eq!((found.places.of("/template/a").line, found.places.of("/template/a").column), (2, 33));
    assert_eq!(found.places.below("/template").of("/a"), found.places.of("/template/a"));
    assert_eq!(found.places.of("/nowhere"), source::Place { line: 1, column: 1 });
}

#[test]
fn what_is_not_json_is_refused_with_its_line_and_position() {
    for (text, message) in [
        ("{\n\"a\": }", "Unexpected character encountered while parsing value: }. Line 2, position 5."),
        ("{\"a\": 1", "Line 1, position 7."),
        ("{\"a\": \"x}", "Unterminated string"),
        ("[1] 2", "Additional text"),
        ("nonsense", "Unexpected word"),
        ("\"\\ud800\"", "Invalid Unicode"),
        ("\"\\q\"", "Bad JSON escape"),
        ("/* never", "parsing comment"),
        ("", "Unexpected end"),
    ] {
        let error = source::read(text).expect_err("is not JSON");
        assert!(error.message().contains(message), "{text}: {}", error.message());
    }
    let deep = "[".repeat(5000);
    assert!(source::read(&deep).expect_err("is deep").message().contains("MaxDepth"));
}

#[test]
fn a_template_of_more_than_four_megabytes_is_refused() {
    let template = |bytes: usize| {
        let rest = json!({ "$schema": "", "contentVersion": "1.0.0.0", "resources": [], "metadata": "" });
        let filled = "x".repeat(bytes - rest.to_string().len());
        json!({ "$schema": "", "contentVersion": "1.0.0.0", "resources": [], "metadata": filled })
    };
    let refused = |bytes| super::expand(&template(bytes), &source::Places::default(), &json!({}), &context());
    assert!(refused(4_194_304).is_ok());
    let error = refused(4_194_305).expect_err("is large");
    assert_eq!(
        error.message(),
        "Deployment template validation failed: 'The size of the template, '4194305' bytes, exceeds the limit of '4194304'.'."
    );
}

/// Any expression whatever.
fn expressions() -> impl Strategy<Value = Expression> {
    let name = "[a-zA-Z_][a-zA-Z0-9_]{0,8}";
    let leaf = prop_oneof![any::<i64>().prop_map(Expression::Int), ".{0,12}".prop_map(Expression::Text)];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        let call = (proptest::option::of(name), name, proptest::collection::vec(inner.clone(), 0..4))
            .prop_map(|(namespace, name, arguments)| Expression::Call(Call { namespace, name, arguments }));
        let property =
            (call.clone(), prop_oneof![inner, name.prop_map(Expression::Text)], any::<bool>()).prop_map(
                |(of, key, is_safe)| Expression::Property { of: Box::new(of), key: Box::new(key), is_safe },
            );
        prop_oneof![call, property]
    })
}

/// Values that a template can hold.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        r"\[{0,3}.{0,8}\]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[a-z]{1,4}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_the_same(expression in expressions()) {
        let printed = expression.to_string();
        if printed.len() < 4000 {
            prop_assert_eq!(parse::expression(&printed).expect("was printed"), expression);
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in r"\[[a-z0-9'(),.?\[\]\- ]{0,60}\]") {
        let _ = parse::text(&text);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in r#"[\[\]{}:,"'/*\\a-z0-9 \n]{0,80}"#) {
        let _ = source::read(&text);
    }

    #[test]
    fn json_means_what_it_means(value in values()) {
        let read = source::read(&value.to_string()).expect("is JSON");
        prop_assert_eq!(read.value, value);
    }

    /// Whatever a parameter holds, the body gets it as it is, and never as an expression.
    #[test]
    fn a_value_goes_through_a_plan_unchanged(value in values()) {
        let template = json!({
            "$schema": "s", "contentVersion": "1.0.0.0",
            "parameters": { "p": { "type": "object" } },
            "resources": [{ "type": "A.B/c", "apiVersion": "2020-01-01", "name": "n",
                            "properties": { "v": "[parameters('p').v]", "w": "[reference('/x', '2020-01-01').y]" } }],
        });
        let plan = expanded(&template, &json!({ "p": { "value": { "v": value } } }), &context()).expect("is a template");
        let stored: Plan = serde_json::from_str(&serde_json::to_string(&plan).expect("is data")).expect("is data");
        let need = super::Need { id: "/x".to_owned(), api_version: "2020-01-01".to_owned(), ask: super::Ask::Resource };
        let known = std::collections::BTreeMap::from([(need.clone(), json!({"properties": {"y": "[x]"}}))]);
        prop_assert_eq!(stored.resources[0].body(&super::Nothing).expect("waits"), super::Finished::Waiting(vec![need]));
        let body = stored.resources[0].body(&known).expect("is known");
        prop_assert_eq!(body, super::Finished::Done(json!({ "properties": { "v": value, "w": "[x]" } })));
        prop_assert!(plan.resources[0].waits_for.is_empty());
    }
}
