use proptest::prelude::{Strategy, prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::{roles, time::Timestamp};

const READ: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";

/// What the condition says of a listing with `prefix`=`public/` in container `Reports` of account `a`.
fn ask(text: &str) -> Truth {
    let attributes = Attributes::none()
        .resource("Microsoft.Storage/storageAccounts:name", "a")
        .resource("c:name", "Reports")
        .resource("blobs:path", "readonly/2022/a.txt")
        .resource("blobs/tags:Project", "Cascade")
        .resource("blobs/tags&$keys$&", "Project")
        .resource("blobs/tags&$keys$&", "Program")
        .resource("size", "12")
        .resource("isHnsEnabled", "true")
        .request("prefix", "public/")
        .request("id", "4BAD4D9E-2a13-4888-94bb-c8432f6f3040")
        .request("versionId", "2022-06-01T00:00:00.0000000Z")
        .at(Timestamp::parse_iso("2026-11-21T23:02:54.1234567Z").expect("a time"))
        .suboperation("Blob.List");
    Condition::from(text).ask(&Action::of(READ), &attributes)
}

#[test]
fn the_table_of_sentences() {
    use Truth::{False, True, Unknown};
    for (text, truth) in [
        ("", True),
        ("ActionMatches{'Microsoft.Storage/*/read'}", True),
        ("ActionMatches{'Microsoft.Storage/*/write', '*/read'}", True),
        ("actionmatches{'*/write'}", False),
        ("SubOperationMatches{'blob.list'}", True),
        ("SubOperationMatches{'Blob.Read.WithTagConditions'}", False),
        ("@Request[subOperation] ForAnyOfAnyValues:StringEqualsIgnoreCase {'Blob.List'}", True),
        ("@Request[subOperation] ForAnyOfAnyValues:StringEqualsIgnoreCase {'x'}", False),
        ("!(ActionMatches{'*/read'} AND NOT SubOperationMatches{'Blob.List'})", True),
        ("!(ActionMatches{'*/read'} && SubOperationMatches{'Blob.List'})", False),
        ("!!ActionMatches{'*/read'}", True),
        ("Exists @Request[prefix]", True),
        ("NotExists @Request[prefix]", False),
        ("Exists @Resource[prefix]", False),
        ("NOT Exists @Request[snapshot]", True),
        // Strings.
        ("@Resource[c:name] StringEquals 'Reports'", True),
        ("@RESOURCE[C:NAME] stringequals 'Reports'", True),
        ("@Resource[c:name] StringEquals 'reports'", False),
        ("@Resource[c:name] StringEqualsIgnoreCase 'reports'", True),
        ("@Resource[c:name] StringNotEquals 'reports'", True),
        ("@Resource[c:name] StringNotEqualsIgnoreCase 'reports'", False),
        ("@Request[prefix] StringStartsWith 'public'", True),
        ("@Request[prefix] StringStartsWith 'Public'", False),
        ("@Request[prefix] StringStartsWithIgnoreCase 'Public'", True),
        ("@Request[prefix] StringNotStartsWith 'public'", False),
        ("@Request[prefix] StringNotStartsWithIgnoreCase 'Secret'", True),
        ("@Resource[blobs:path] StringLike 'readonly/*'", True),
        ("@Resource[blobs:path] StringLike 'readonly/*.txt'", True),
        ("@Resource[blobs:path] StringLike 'readonly/20??/a.txt'", True),
        ("@Resource[blobs:path] StringLike 'READONLY/*'", False),
        ("@Resource[blobs:path] StringLikeIgnoreCase 'READONLY/*'", True),
        ("@Resource[blobs:path] StringNotLike 'readonly/*'", False),
        ("@Resource[blobs:path] StringNotLikeIgnoreCase 'x*'", True),
        ("'a*c' StringLike 'a\\*c'", True),
        ("'abc' StringLike 'a\\*c'", False),
        ("'abcd' StringLike 'a*c?'", True),
        ("'abcd' StringLike 'a*c'", False),
        ("'aXbXc' StringLike '*X*'", True),
        ("'' StringLike '*'", True),
        ("'it''s' StringEquals 'x'", Unknown),
        ("'it\\'s' StringEquals 'it\\'s'", True),
        // Tag keys keep their case where they are marked.
        ("@Resource[blobs/tags:Project<$key_case_sensitive$>] StringEquals 'Cascade'", True),
        ("@Resource[blobs/TAGS:Project<$key_case_sensitive$>] StringEquals 'Cascade'", True),
        ("@Resource[blobs/tags:project<$key_case_sensitive$>] StringEquals 'Cascade'", Unknown),
        ("@Resource[blobs/tags:project] StringEquals 'Cascade'", True),
        ("@Resource[blobs/tags&$keys$&] ForAllOfAnyValues:StringEquals {'Project', 'Program'}", True),
        ("@Resource[blobs/tags&$keys$&] ForAllOfAnyValues:StringEquals {'Project'}", False),
        ("@Resource[blobs/tags&$keys$&] StringEquals 'Project'", Unknown),
        // Numbers, truths, guids, times.
        ("@Resource[size] NumericEquals 12", True),
        ("@Resource[size] NumericNotEquals 12", False),
        ("@Resource[size] NumericLessThan 12", False),
        ("@Resource[size] NumericLessThanEquals 12", True),
        ("@Resource[size] NumericGreaterThan -3", True),
        ("@Resource[size] NumericGreaterThanEquals 13", False),
        ("@Resource[c:name] NumericEquals 12", Unknown),
        ("@Resource[isHnsEnabled] BoolEquals true", True),
        ("@Resource[isHnsEnabled] boolequals True", True),
        ("@Resource[isHnsEnabled] BoolNotEquals true", False),
        ("@Request[id] GuidEquals 4bad4d9e2a13488894bbc8432f6f3040", True),
        ("@Request[id] GuidEquals '4bad4d9e-2a13-4888-94bb-c8432f6f3040'", True),
        ("@Request[id] ForAnyOfAnyValues:GuidEquals{4bad4d9e2a13488894bbc8432f6f3040}", True),
        ("@Request[id] ForAnyOfAllValues:GuidNotEquals{4bad4d9e2a13488894bbc8432f6f3040}", False),
        ("@Request[versionId] DateTimeEquals '2022-06-01T00:00:00.0Z'", True),
        ("@Request[versionId] DateTimeNotEquals '2022-06-01T00:00:00.0Z'", False),
        ("@Environment[UtcNow] DateTimeGreaterThan '2026-01-01T00:00:00.0Z'", True),
        ("@Environment[UtcNow] DateTimeGreaterThanEquals '2027-01-01'", False),
        ("@Environment[UtcNow] DateTimeLessThan '2027-01-01T00:00:00Z'", True),
        ("@Environment[UtcNow] DateTimeLessThanEquals '2026-01-01T00:00:00Z'", False),
        ("@Environment[UtcNow] TimeOfDayGreaterThan '23:02'", True),
        ("@Environment[UtcNow] TimeOfDayGreaterThanEquals '23:03:00'", False),
        ("@Environment[UtcNow] TimeOfDayLessThan '23:02:55.0'", True),
        ("@Environment[UtcNow] TimeOfDayLessThanEquals '09:00:00'", False),
        ("@Environment[UtcNow] TimeOfDayEquals '23:02:54.1234567'", True),
        ("@Environment[UtcNow] TimeOfDayNotEquals '23:02:54.1234567'", False),
        // The documentation's own examples of quantifiers.
        ("{'red', 'blue'} ForAnyOfAnyValues:StringEquals {'blue', 'green'}", True),
        ("{'red', 'blue'} ForAnyOfAnyValues:StringEquals {'orange', 'green'}", False),
        ("{'red', 'blue'} ForAllOfAnyValues:StringEquals {'orange', 'red', 'blue'}", True),
        ("{'red', 'blue'} ForAllOfAnyValues:StringEquals {'red', 'green'}", False),
        ("{10, 20} ForAnyOfAllValues:NumericLessThan {15, 18}", True),
        ("{10, 20} ForAllOfAllValues:NumericLessThan {5, 15, 18}", False),
        ("{10, 20} ForAllOfAllValues:NumericLessThan {25, 30}", True),
        ("{10, 20} ForAllOfAllValues:NumericLessThan {15, 25, 30}", False),
        // What nobody supplied decides nothing, nor does its negation.
        ("@Principal[Microsoft.Directory/CustomSecurityAttributes/Id:E_p] StringEquals 'x'", Unknown),
        ("NOT @Request[absent] StringEquals 'x'", Unknown),
        ("@Request[absent] StringNotEquals 'x'", Unknown),
        ("@Request[absent] ForAllOfAllValues:StringEquals {'x'}", Unknown),
        ("@Request[absent] StringEquals 'x' OR ActionMatches{'*'}", True),
        ("@Request[absent] StringEquals 'x' AND ActionMatches{'nothing'}", False),
        ("@Resource[c:name] StringEquals @Request[prefix]", False),
        (
            "(@Resource[size] NumericEquals 12 AND ActionMatches{'*'}) OR @Request[absent] BoolEquals true",
            True,
        ),
    ] {
        assert_eq!(ask(text), truth, "{text}");
    }
}

#[test]
fn what_is_not_understood_says_where_and_is_never_true() {
    let unexpected = |text: &str| BadCondition::Unexpected(text.to_owned());
    let operator = |text: &str| BadCondition::UnknownOperator(text.to_owned());
    let across = |text: &str| BadCondition::NotAcross(text.to_owned());
    let value = |text: &str| BadCondition::BadValue(text.to_owned());
    for (text, why) in [
        ("true", BadCondition::Unclosed),
        ("(ActionMatches{'x'}", BadCondition::Unclosed),
        ("ActionMatches{'x'", BadCondition::Unclosed),
        ("ActionMatches{'x}", BadCondition::Unclosed),
        ("@Request[x BoolEquals true", BadCondition::Unclosed),
        ("ActionMatches{'x'})", unexpected(")")),
        ("ActionMatches{}", unexpected("}")),
        ("ActionMatches 'x'", unexpected("'x'")),
        ("ActionMatches{x}", value("x")),
        ("Exists 'x'", unexpected("'x'")),
        ("@Request[] BoolEquals true", unexpected("[]")),
        ("@Nobody[x] BoolEquals true", BadCondition::UnknownSource("Nobody".to_owned())),
        ("@Request[x] StringMatches 'x'", operator("StringMatches")),
        ("@Request[x] ForSome:StringEquals 'x'", operator("ForSome:StringEquals")),
        ("@Request[x] BoolEquals maybe", value("maybe")),
        ("@Request[x] BoolEquals 'true'", value("true")),
        ("@Request[x] NumericEquals 1.5", value("1.5")),
        ("@Request[x] StringEquals x", value("x")),
        ("@Request[x] GuidEquals 12", value("12")),
        ("@Request[x] DateTimeEquals 'noon'", value("noon")),
        ("@Request[x] TimeOfDayEquals '25:00'", value("25:00")),
        ("@Request[x] StringEquals {'a', 'b'}", across("StringEquals")),
        ("@Request[x] ForAnyOfAnyValues:BoolEquals {true}", across("ForAnyOfAnyValues:BoolEquals")),
        ("ActionMatches{'a'} AND ActionMatches{'b'} OR ActionMatches{'c'}", BadCondition::Ambiguous),
        ("ActionMatches{'a'} ActionMatches{'b'}", unexpected("ActionMatches")),
        ("ActionMatches{'a'} & ActionMatches{'b'}", unexpected("&")),
        ("“quoted”", unexpected("“")),
    ] {
        let condition = Condition::from(text);
        assert_eq!(condition.check(), Err(&why), "{text}");
        assert_eq!(ask(text), Truth::Unknown, "{text}");
    }
    assert_eq!(Condition::from("(".repeat(8000)).check(), Err(&BadCondition::TooDeep));
    assert_eq!(Condition::from("NOT ".repeat(2000)).check(), Err(&BadCondition::TooDeep));
    assert_eq!(Condition::from(" ".repeat(8193)).check(), Err(&BadCondition::TooLong));
}

#[test]
fn every_condition_of_the_built_in_roles_is_understood() {
    for role in roles::all() {
        for condition in role.permissions.iter().filter_map(|it| it.condition.as_ref()) {
            assert_eq!(condition.check(), Ok(()), "{}: {condition:?}", role.name);
        }
    }
}

#[test]
fn an_attempt_without_a_suboperation_is_not_targeted_by_one() {
    let plain = Attributes::none();
    let action = Action::of(READ);
    for spelling in [
        "SubOperationMatches{'Blob.List'}",
        "@Request[subOperation] ForAnyOfAnyValues:StringEqualsIgnoreCase {'Blob.List'}",
    ] {
        let condition = Condition::from(format!("!(ActionMatches{{'{READ}'}} AND {spelling})"));
        assert_eq!(condition.ask(&action, &plain), Truth::True, "{spelling}");
        assert_eq!(condition.ask(&action, &plain.clone().suboperation("Blob.List")), Truth::False);
    }
}

fn leaves() -> impl Strategy<Value = String> {
    let leaf = [
        "ActionMatches{'*/read'}",
        "ActionMatches{'*/write'}",
        "@Request[absent] StringEquals 'x'",
        "@Resource[c:name] StringLike 'R*'",
        "SubOperationMatches{'Blob.List'}",
        "@Resource[size] NumericLessThan 3",
    ];
    prop::sample::select(leaf.to_vec()).prop_map(str::to_owned)
}

fn sentences() -> impl Strategy<Value = String> {
    leaves().prop_recursive(6, 40, 3, |inner| {
        (prop::collection::vec(inner, 1..4), prop::sample::select(vec![" AND ", " || "]), prop::bool::ANY)
            .prop_map(|(parts, link, negated)| {
                let joined = format!("({})", parts.join(link));
                if negated { format!("!{joined}") } else { joined }
            })
    })
}

proptest! {
    #[test]
    fn reading_and_asking_never_panic(
        text in "\\PC{0,60}|(@Request\\[x\\]|StringLike|'|\\\\|\\*|\\?|\\{|\\}|\\(|\\)|!| AND | OR |[a-c0-9,:]){0,30}"
    ) {
        ask(&text);
    }

    #[test]
    fn twice_no_is_yes_and_unknown_stays(text in sentences()) {
        let (plain, negated) = (ask(&text), ask(&format!("NOT ({text})")));
        prop_assert_eq!(ask(&format!("NOT NOT ({text})")), plain);
        prop_assert_eq!(plain == Truth::Unknown, negated == Truth::Unknown);
        prop_assert!(plain == Truth::Unknown || plain != negated);
    }

    #[test]
    fn anything_is_like_itself(text in "[a-c*?]{0,12}") {
        let escaped = text.replace('*', "\\*").replace('?', "\\?");
        prop_assert_eq!(ask(&format!("'{text}' StringLike '{text}'")), Truth::True);
        prop_assert_eq!(ask(&format!("'{text}' StringLike '{escaped}'")), Truth::True);
    }
}
