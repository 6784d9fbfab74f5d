use proptest::prelude::{prop_assert_eq, proptest};

use super::*;

/// A service principal of Graph, an assignment and a resource in one.
fn values(path: &str) -> Vec<Value> {
    let text = |text: &str| Value::Text(text.to_owned());
    match path {
        "displayname" | "rolename" => vec![text("Reader")],
        "serviceprincipalnames" => vec![text("api://x"), text("11111111-1111-1111-1111-111111111111")],
        "properties/principalid" => vec![text("22222222-2222-2222-2222-222222222222")],
        "tags/name" => vec![text("env")],
        "count" => vec![Value::Number(5.0)],
        "accountenabled" => vec![Value::Bool(true)],
        "eventtimestamp" => vec![text("2026-11-21T23:02:54Z")],
        _ => vec![],
    }
}

#[test]
fn filters_that_clients_send_hold_or_do_not() {
    for (text, holds) in [
        ("roleName eq 'reader'", true),
        ("rolename EQ 'Reader'", true),
        ("roleName eq 'Owner'", false),
        ("roleName ne 'Owner'", true),
        ("displayName eq 'x' or displayName eq 'reader'", true),
        ("displayName eq 'Reader' and count eq 6", false),
        ("servicePrincipalNames/any(c:c eq '11111111-1111-1111-1111-111111111111')", true),
        ("servicePrincipalNames/any(c:c eq 'nobody')", false),
        ("servicePrincipalNames/any(c: startswith(c, 'API'))", true),
        ("tags/any(t:t/name eq 'env')", true),
        ("properties/principalId eq 22222222-2222-2222-2222-222222222222", true),
        ("startswith(displayName,'rea')", true),
        ("startswith(displayName,'ead')", false),
        ("endswith(displayName,'DER')", true),
        ("contains(displayName,'ead')", true),
        ("substringof('ead', displayName)", true),
        ("startswith(count,'5')", false),
        ("not (displayName eq 'Reader')", false),
        ("not startswith(displayName,'x') and count eq 5", true),
        ("count ge 5 and count lt 5.5 and count gt -1 and count le 5", true),
        ("count eq '5'", false),
        ("accountEnabled eq true", true),
        ("missing eq null", true),
        ("missing ne null", false),
        ("missing eq ''", false),
        ("missing ne 'x'", true),
        ("displayName ne null", true),
        ("eventTimestamp ge '2026-11-21' and eventTimestamp lt 2026-11-22T00:00:00Z", true),
        ("displayName eq 'Reader' or displayName eq 'x' and count eq 6", true),
        ("(displayName eq 'Reader' or displayName eq 'x') and count eq 6", false),
        ("atScope()", true),
        ("atScope() and roleName eq 'Owner'", false),
    ] {
        assert_eq!(Filter::parse(text).expect(text).matches(&values), holds, "{text}");
    }
}

#[test]
fn quotes_in_a_text_are_written_twice() {
    let filter = Filter::parse("name eq 'it''s ''x'''").expect("a filter");
    assert_eq!(filter.required("NAME"), Some("it's 'x'"));
}

#[test]
fn functions_of_the_service_and_required_values_are_found() {
    let filter = Filter::parse("assignedTo('p') and ATSCOPE() and principalId eq 'q'").expect("a filter");
    assert_eq!(filter.call("assignedTo"), Some(Some(&Value::Text("p".to_owned()))));
    assert_eq!(filter.call("atScope"), Some(None));
    assert_eq!(filter.call("atScopeAndBelow"), None);
    assert_eq!(filter.required("principalid"), Some("q"));
    assert_eq!(filter.required("other"), None);
    let either = Filter::parse("atScope() or principalId eq 'q'").expect("a filter");
    assert_eq!((either.call("atScope"), either.required("principalId")), (None, None));
}

#[test]
fn what_is_no_filter_is_refused() {
    let unexpected = |text: &str| BadFilter::Unexpected(text.to_owned());
    for (text, why) in [
        ("", unexpected("")),
        ("a", unexpected("")),
        ("a eq", unexpected("")),
        ("a is 'b'", unexpected("is")),
        ("a eq 'b' c", unexpected("c")),
        ("a eq 'b' and", unexpected("")),
        ("(a eq 'b'", unexpected("")),
        ("a eq 'b')", unexpected(")")),
        ("'a' eq 'b'", unexpected("'a'")),
        ("a eq (", unexpected("(")),
        ("a = 'b'", unexpected("=")),
        ("a eq 'b", BadFilter::Unclosed),
        ("length(a) eq 1", BadFilter::UnknownFunction("length".to_owned())),
        ("startswith(a)", unexpected(")")),
        ("startswith(a,b)", unexpected("b")),
        ("x/any(c c eq 1)", unexpected("c")),
    ] {
        assert_eq!(Filter::parse(text), Err(why), "{text}");
    }
    assert_eq!(Filter::parse(&"(".repeat(9999)), Err(BadFilter::TooDeep));
    assert_eq!(Filter::parse(&"not ".repeat(2000)), Err(BadFilter::TooDeep));
    assert_eq!(Filter::parse(&" ".repeat(99_999)), Err(BadFilter::TooLong));
}

proptest! {
    #[test]
    fn reading_never_panics(text in "\\PC{0,60}|([a-c]| eq | and | or |not |'|\\(|\\)|,|:|/any\\(|[0-9]){0,20}") {
        let _ = Filter::parse(&text).map(|filter| filter.matches(&values));
    }

    #[test]
    fn any_text_can_be_asked_for(text in "\\PC{0,30}") {
        let filter = Filter::parse(&format!("name eq '{}'", text.replace('\'', "''"))).expect("a filter");
        prop_assert_eq!(filter.required("name"), Some(text.as_str()));
        prop_assert_eq!(filter.matches(&|_| vec![Value::Text(text.clone())]), true);
    }
}

#[test]
fn what_is_about_nothing_is_no_filter() {
    for text in ["1 eq 1", "a eq 'x' or 1 eq 1", "true eq true", "null eq null", "-1 lt 2", "contains(1,'1')"]
    {
        assert!(matches!(Filter::parse(text), Err(BadFilter::Unexpected(_))), "{text}");
    }
}

#[test]
fn a_filter_says_what_it_is_about_and_whether_it_is_plain() {
    for (text, paths, plain) in [
        ("a eq 'x'", &["a"] as &[_], Some(&["a"] as &[_])),
        ("properties/a eq 'x' and atScope()", &["properties/a"], Some(&["a", "atscope"])),
        ("assignedTo('x')", &[], Some(&["assignedto"])),
        ("a eq 'x' or b eq 'y'", &["a", "b"], None),
        ("not a eq 'x'", &["a"], None),
        ("a ne 'x'", &["a"], None),
        ("a eq 1", &["a"], None),
        ("startswith(a,'x') and b/any(c:c/d eq 'x')", &["a", "b/d"], None),
    ] {
        let filter = Filter::parse(text).expect(text);
        assert_eq!(filter.paths(), paths, "{text}");
        let expected = plain.map(|names| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
        assert_eq!(filter.plain_parts(), expected, "{text}");
    }
}
