//! Every function with the results that Microsoft's pages print; where a page prints none, the row
//! says what the result follows from.

use serde_json::{Value, json};

use super::FUNCTIONS;
use crate::{
    error::Error,
    template::{
        Finished, Nothing,
        tests::{context, expanded},
    },
};

/// The value of an expression, by way of an output.
fn value(expression: &str) -> Result<Value, Error> {
    let template = json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": [],
        "outputs": { "one": { "type": "array", "value": format!("[createArray({expression})]") } },
    });
    match expanded(&template, &json!({}), &context())?.outputs(&Nothing)? {
        Finished::Done(outputs) => Ok(outputs["one"]["value"][0].clone()),
        Finished::Waiting(needs) => panic!("{expression} waits for {needs:?}"),
    }
}

const DOGS: &str = r#"json('[{"name":"Evie","age":5},{"name":"Casper","age":3},{"name":"Indy","age":2},{"name":"Kira","age":8}]')"#;

/// Expression, value, page.
fn rows() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        // Array functions.
        ("array(1)", json!([1]), "array, array"),
        ("array('efgh')", json!(["efgh"]), "array, array"),
        (r#"array(json('{"a": "b"}'))"#, json!([{"a": "b"}]), "array, array"),
        (
            "concat(createArray('1-1', '1-2'), createArray('2-1'))",
            json!(["1-1", "1-2", "2-1"]),
            "array, concat",
        ),
        ("concat('prefix', '-', 5)", json!("prefix-5"), "string, concat"),
        ("contains('OneTwoThree', 'e')", json!(true), "array, contains"),
        ("contains('OneTwoThree', 'z')", json!(false), "array, contains"),
        (
            r#"contains(json('{"one": "a", "two": "b"}'), 'ONE')"#,
            json!(true),
            "array, contains: keys without case",
        ),
        ("contains(createArray('one', 'two'), 'three')", json!(false), "array, contains"),
        (
            "contains(createArray('one', 'two'), 'TWO')",
            json!(false),
            "array, contains: elements to the letter",
        ),
        ("createArray('a', 'b', 'c')", json!(["a", "b", "c"]), "array, createArray"),
        ("empty(createArray())", json!(true), "array, empty"),
        ("empty(json('{}'))", json!(true), "array, empty"),
        ("empty('')", json!(true), "array, empty"),
        ("empty(json('null'))", json!(true), "object, json and null"),
        ("first(createArray('one', 'two', 'three'))", json!("one"), "array, first"),
        ("first('One Two Three')", json!("O"), "array, first"),
        ("indexFromEnd(createArray('a', 'b', 'c'), 2)", json!("b"), "Bicep array, operators: index from end"),
        ("tryIndexFromEnd(createArray('a', 'b'), 3)", json!(null), "Bicep array, operators: index from end"),
        ("tryIndexFromEnd(createArray('a', 'b'), 1)", json!("b"), "Bicep array, operators: index from end"),
        ("indexOf(createArray('one', 'two', 'three'), 'two')", json!(1), "array, indexOf"),
        ("lastIndexOf(createArray('one', 'two', 'one'), 'one')", json!(2), "array, lastIndexOf"),
        ("indexOf(createArray(1, 2, 1), 4)", json!(-1), "array, indexOf"),
        (
            r#"intersection(json('{"one": "a", "two": "b", "three": "c"}'), json('{"one": "a", "two": "z", "three": "c"}'))"#,
            json!({"one": "a", "three": "c"}),
            "array, intersection",
        ),
        (
            "intersection(createArray('one', 'two', 'three'), createArray('two', 'three'))",
            json!(["two", "three"]),
            "array, intersection",
        ),
        ("last(createArray('one', 'two', 'three'))", json!("three"), "array, last"),
        ("last('One Two Three')", json!("e"), "array, last"),
        ("length(createArray('one', 'two', 'three'))", json!(3), "array, length"),
        ("length('One Two Three')", json!(13), "array, length"),
        (r#"length(json('{"a": 1, "b": 2, "c": 3, "d": 4}'))"#, json!(4), "array, length"),
        ("max(createArray(0, 3, 2, 5, 4))", json!(5), "array, max"),
        ("max(0, 3, 2, 5, 4)", json!(5), "array, max"),
        ("min(createArray(0, 3, 2, 5, 4))", json!(0), "array, min"),
        ("min(0, 3, 2, 5, 4)", json!(0), "array, min"),
        ("range(5, 3)", json!([5, 6, 7]), "array, range"),
        ("skip(createArray('one', 'two', 'three'), 2)", json!(["three"]), "array, skip"),
        ("skip('one two three', 4)", json!("two three"), "array, skip"),
        ("skip('one', 9)", json!(""), "array, skip: more than there is"),
        ("take(createArray('one', 'two', 'three'), 2)", json!(["one", "two"]), "array, take"),
        ("take('one two three', 2)", json!("on"), "array, take"),
        ("take('one', 0)", json!(""), "array, take: zero or less"),
        (
            "flatten(createArray(createArray('one', 'two'), createArray('three')))",
            json!(["one", "two", "three"]),
            "Bicep array, flatten",
        ),
        // CIDR functions.
        (
            "parseCidr('10.144.0.0/20')",
            json!({"network": "10.144.0.0", "netmask": "255.255.240.0", "broadcast": "10.144.15.255",
                   "firstUsable": "10.144.0.1", "lastUsable": "10.144.15.254", "cidr": 20}),
            "cidr, parseCidr",
        ),
        (
            "parseCidr('fdad:3236:5555::/48')",
            json!({"network": "fdad:3236:5555::", "netmask": "ffff:ffff:ffff::", "firstUsable": "fdad:3236:5555::",
                   "lastUsable": "fdad:3236:5555:ffff:ffff:ffff:ffff:ffff", "cidr": 48}),
            "cidr, parseCidr",
        ),
        ("cidrSubnet('10.144.0.0/20', 24, 0)", json!("10.144.0.0/24"), "cidr, cidrSubnet"),
        ("cidrSubnet('10.144.0.0/20', 24, 4)", json!("10.144.4.0/24"), "cidr, cidrSubnet"),
        ("cidrSubnet('fdad:3236:5555::/48', 52, 0)", json!("fdad:3236:5555::/52"), "cidr, cidrSubnet"),
        ("cidrSubnet('fdad:3236:5555::/48', 52, 4)", json!("fdad:3236:5555:4000::/52"), "cidr, cidrSubnet"),
        ("cidrHost('10.144.3.0/24', 0)", json!("10.144.3.1"), "cidr, cidrHost"),
        ("cidrHost('10.144.3.0/24', 4)", json!("10.144.3.5"), "cidr, cidrHost"),
        ("cidrHost('fdad:3236:5555:3000::/52', 4)", json!("fdad:3236:5555:3000::5"), "cidr, cidrHost"),
        // Comparison functions.
        ("coalesce(null(), null(), 'default')", json!("default"), "comparison, coalesce"),
        ("coalesce(null(), null())", json!(null), "comparison, coalesce"),
        ("equals(1, 2)", json!(false), "comparison, equals"),
        ("equals('a', 'A')", json!(false), "comparison, equals: case counts"),
        ("equals(createArray('a', 'b'), createArray('a', 'b'))", json!(true), "comparison, equals"),
        (r#"equals(json('{"a": 1, "b": 2}'), json('{"b": 2, "a": 1}'))"#, json!(true), "comparison, equals"),
        ("greater(1, 2)", json!(false), "comparison, greater"),
        ("greater('A', 'a')", json!(true), "comparison, greater"),
        ("greaterOrEquals('A', 'a')", json!(true), "comparison, greaterOrEquals"),
        ("less('A', 'a')", json!(false), "comparison, less"),
        ("less(1, 2)", json!(true), "comparison, less"),
        ("lessOrEquals('A', 'a')", json!(false), "comparison, lessOrEquals"),
        ("lessOrEquals(2, 2)", json!(true), "comparison, lessOrEquals"),
        // Date functions.
        (
            "dateTimeAdd('2020-04-07 14:53:14Z', 'P3Y')",
            json!("2023-04-07 14:53:14Z"),
            "date, dateTimeAdd: in the base's format",
        ),
        ("dateTimeAdd('2020-04-07 14:53:14Z', '-P9D')", json!("2020-03-29 14:53:14Z"), "date, dateTimeAdd"),
        (
            "dateTimeAdd('2020-04-07 14:53:14Z', 'PT1H', 'M/d/yyyy h:mm:ss tt')",
            json!("4/7/2020 3:53:14 PM"),
            "date, dateTimeAdd: the page's table",
        ),
        ("dateTimeAdd('20200131T000000Z', 'P1M')", json!("20200229T000000Z"), ".NET, DateTime.AddMonths"),
        (
            "dateTimeAdd('2020-01-31T00:00:00Z', 'P1Y2M3DT4H5M6S')",
            json!("2021-04-03T04:05:06Z"),
            "ISO 8601, durations",
        ),
        ("dateTimeFromEpoch(1683040573)", json!("2023-05-02T15:16:13Z"), "date, dateTimeFromEpoch"),
        ("dateTimeToEpoch('20230502T151613Z')", json!(1_683_040_573), "date, dateTimeToEpoch"),
        (
            "dateTimeToEpoch('2023-05-02T17:16:13+02:00')",
            json!(1_683_040_573),
            "date, dateTimeToEpoch: ISO 8601",
        ),
        // Deployment and scope functions.
        ("deployment().name", json!("main"), "deployment, deployment"),
        ("deployer().objectId", json!("00000000-0000-0000-0000-0000000000d1"), "Bicep deployment, deployer"),
        ("environment().suffixes.storage", json!("core.windows.net"), "deployment, environment"),
        (
            "environment().authentication.audiences[1]",
            json!("https://management.azure.com/"),
            "deployment, environment",
        ),
        (
            "subscription().subscriptionId",
            json!("00000000-0000-0000-0000-000000000001"),
            "scope, subscription",
        ),
        ("resourceGroup().location", json!("westeurope"), "scope, resourceGroup"),
        ("tenant().tenantId", json!("00000000-0000-0000-0000-00000000000a"), "scope, tenant"),
        // Lambda functions.
        (
            "filter(range(0, 10), lambda('i', equals(0, mod(lambdaVariables('i'), 2))))",
            json!([0, 2, 4, 6, 8]),
            "lambda, filter",
        ),
        (
            "filter(createArray('a', 'b', 'c'), lambda('v', 'i', less(lambdaVariables('i'), 2)))",
            json!(["a", "b"]),
            "Bicep lambda, filter with an index",
        ),
        (
            r#"map(createArray('Evie', 'Kira'), lambda('dog', format('Hello {0}!', lambdaVariables('dog'))))"#,
            json!(["Hello Evie!", "Hello Kira!"]),
            "lambda, map",
        ),
        (
            "map(createArray('a', 'b'), lambda('v', 'i', createObject('i', lambdaVariables('i'), 'v', lambdaVariables('v'))))",
            json!([{"i": 0, "v": "a"}, {"i": 1, "v": "b"}]),
            "Bicep lambda, map with an index",
        ),
        (
            "reduce(createArray(5, 3, 2, 8), 1, lambda('cur', 'next', add(lambdaVariables('cur'), lambdaVariables('next'))))",
            json!(19),
            "lambda, reduce",
        ),
        (
            "reduce(createArray(createObject('foo', 123), createObject('bar', 456), createObject('baz', 789)), createObject(), lambda('cur', 'next', union(lambdaVariables('cur'), lambdaVariables('next'))))",
            json!({"foo": 123, "bar": 456, "baz": 789}),
            "lambda, reduce",
        ),
        (
            "sort(createArray(8, 3, 10, -13, 5), lambda('a', 'b', less(lambdaVariables('a'), lambdaVariables('b'))))",
            json!([-13, 3, 5, 8, 10]),
            "lambda, sort",
        ),
        (
            "groupBy(createArray('foo', 'bar', 'baz'), lambda('x', substring(lambdaVariables('x'), 0, 1)))",
            json!({"f": ["foo"], "b": ["bar", "baz"]}),
            "Bicep lambda, groupBy",
        ),
        (
            r#"mapValues(json('{"foo": "foo", "bar": "bar"}'), lambda('val', toUpper(lambdaVariables('val'))))"#,
            json!({"foo": "FOO", "bar": "BAR"}),
            "Bicep lambda, mapValues",
        ),
        (
            "toObject(createArray('a', 'b'), lambda('e', lambdaVariables('e')), lambda('e', concat(lambdaVariables('e'), '!')))",
            json!({"a": "a!", "b": "b!"}),
            "lambda, toObject",
        ),
        // Logical functions.
        ("and(bool('true'), bool('false'))", json!(false), "logical, and"),
        ("or(bool('true'), bool('false'))", json!(true), "logical, or"),
        ("not(bool('true'))", json!(false), "logical, not"),
        ("not(equals(1, 2))", json!(true), "logical, not"),
        ("bool(1)", json!(true), "logical, bool"),
        ("bool(0)", json!(false), "logical, bool"),
        ("bool('False')", json!(false), "logical, bool"),
        ("if(equals('a', 'a'), 'yes', 'no')", json!("yes"), "logical, if"),
        ("if(false(), fail('never'), 'no')", json!("no"), "logical, if: only one branch is evaluated"),
        ("true()", json!(true), "logical, true"),
        // Numeric functions.
        ("add(5, 3)", json!(8), "numeric, add"),
        ("div(8, 3)", json!(2), "numeric, div"),
        ("float('3.0')", json!(3.0), "numeric, float"),
        ("int('4')", json!(4), "numeric, int"),
        ("mod(7, 3)", json!(1), "numeric, mod"),
        ("mul(5, 3)", json!(15), "numeric, mul"),
        ("sub(7, 3)", json!(4), "numeric, sub"),
        // Object functions.
        (
            "createObject('intProp', 1, 'stringProp', 'abc', 'boolProp', true(), 'arrayProp', createArray('a'), 'objectProp', createObject('key1', 'value1'))",
            json!({"intProp": 1, "stringProp": "abc", "boolProp": true, "arrayProp": ["a"], "objectProp": {"key1": "value1"}}),
            "object, createObject",
        ),
        (
            r#"items(json('{"item002": {"number": 200}, "item001": {"number": 300}}'))"#,
            json!([{"key": "item001", "value": {"number": 300}}, {"key": "item002", "value": {"number": 200}}]),
            "object, items",
        ),
        (r#"json(format('{{"a": "{0}"}}', 'demo value'))"#, json!({"a": "demo value"}), "object, json"),
        (r#"json('"test"')"#, json!("test"), "object, json"),
        ("json('[1,2,3]')", json!([1, 2, 3]), "object, json"),
        ("objectKeys(createObject('b', 1, 'a', 2))", json!(["a", "b"]), "Bicep object, objectKeys"),
        (
            "shallowMerge(createArray(createObject('a', createObject('x', 1)), createObject('a', createObject('y', 2))))",
            json!({"a": {"y": 2}}),
            "Bicep object, shallowMerge",
        ),
        (r#"tryGet(json('{"a": {"b": [7]}}'), 'a', 'b', 0)"#, json!(7), "Bicep object, safe dereference"),
        (r#"tryGet(json('{"a": {"b": [7]}}'), 'x', 'b', 0)"#, json!(null), "Bicep object, safe dereference"),
        (r#"json('{"a": 1}').?b"#, json!(null), "Bicep operators, safe dereference"),
        (r#"json('[1]')[?5]"#, json!(null), "Bicep operators, safe dereference"),
        (
            r#"union(json('{"property": {"one": "a", "two": "b", "three": "c1"}, "nestedArray": [1, 2]}'), json('{"property": {"three": "c2", "four": "d", "five": "e"}, "nestedArray": [3, 4]}'))"#,
            json!({"property": {"one": "a", "two": "b", "three": "c2", "four": "d", "five": "e"}, "nestedArray": [3, 4]}),
            "object, union",
        ),
        (
            r#"union(json('[["one", "two"], ["three"]]'), json('[["three"], ["four", "two"]]'))"#,
            json!([["one", "two"], ["three"], ["four", "two"]]),
            "object, union",
        ),
        // Resource functions.
        (
            "resourceId('Microsoft.Storage/storageAccounts', 'examplestorage')",
            json!(
                "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/examplestorage"
            ),
            "resource, resourceId",
        ),
        (
            "resourceId('otherGroup', 'Microsoft.Sql/servers/databases', 's', 'd')",
            json!(
                "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/otherGroup/providers/Microsoft.Sql/servers/s/databases/d"
            ),
            "resource, resourceId",
        ),
        (
            "resourceId('11111111-1111-1111-1111-111111111111', 'otherGroup', 'Microsoft.Storage/storageAccounts', 'x')",
            json!(
                "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/otherGroup/providers/Microsoft.Storage/storageAccounts/x"
            ),
            "resource, resourceId",
        ),
        (
            "resourceId('Microsoft.Storage/storageAccounts/', 'x')",
            json!(
                "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/x"
            ),
            "ours: a tutorial's stray slash is tolerated (arm.md §12)",
        ),
        (
            "subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'acdd72a7-3385-48ef-bd42-f606fba81ae7')",
            json!(
                "/subscriptions/00000000-0000-0000-0000-000000000001/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
            ),
            "resource, subscriptionResourceId",
        ),
        (
            "tenantResourceId('Microsoft.Authorization/policyDefinitions', 'p')",
            json!("/providers/Microsoft.Authorization/policyDefinitions/p"),
            "resource, tenantResourceId",
        ),
        (
            "managementGroupResourceId('mg', 'Microsoft.Authorization/policyDefinitions', 'p')",
            json!(
                "/providers/Microsoft.Management/managementGroups/mg/providers/Microsoft.Authorization/policyDefinitions/p"
            ),
            "resource, managementGroupResourceId",
        ),
        (
            "extensionResourceId(resourceGroup().id, 'Microsoft.Authorization/locks', 'l')",
            json!(
                "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Authorization/locks/l"
            ),
            "resource, extensionResourceId",
        ),
        ("pickZones('Microsoft.Compute', 'virtualMachines', 'westus2')", json!(["1"]), "resource, pickZones"),
        (
            "pickZones('Microsoft.Compute', 'virtualMachines', 'westus2', 3)",
            json!(["1", "2", "3"]),
            "resource, pickZones",
        ),
        (
            "pickZones('Microsoft.Compute', 'virtualMachines', 'northcentralus')",
            json!([]),
            "resource, pickZones",
        ),
        ("pickZones('Microsoft.Cdn', 'profiles', 'global')", json!([]), "resource, pickZones"),
        ("pickZones('Microsoft.Cdn', 'profiles', 'westus2')", json!([]), "resource, pickZones"),
        (
            "providers('Microsoft.Storage', 'storageAccounts').apiVersions[0]",
            json!("2023-01-01"),
            "resource, providers",
        ),
        // String functions.
        ("base64('one, two, three')", json!("b25lLCB0d28sIHRocmVl"), "string, base64"),
        ("base64ToString('b25lLCB0d28sIHRocmVl')", json!("one, two, three"), "string, base64ToString"),
        // Of the documentation's sample: {'one': 'a', 'two': 'b'}.
        (
            "base64ToJson('eydvbmUnOiAnYScsICd0d28nOiAnYid9')",
            json!({"one": "a", "two": "b"}),
            "string, base64ToJson",
        ),
        (
            r#"base64ToJson(base64('{"one": "a", "two": "b"}'))"#,
            json!({"one": "a", "two": "b"}),
            "string, base64ToJson",
        ),
        ("dataUri('Hello')", json!("data:text/plain;charset=utf8;base64,SGVsbG8="), "string, dataUri"),
        (
            "dataUriToString('data:;base64,SGVsbG8sIFdvcmxkIQ==')",
            json!("Hello, World!"),
            "string, dataUriToString",
        ),
        ("endsWith('abcdef', 'F')", json!(true), "string, endsWith: without case"),
        ("endsWith('abcdef', 'e')", json!(false), "string, endsWith"),
        ("startsWith('abcdef', 'A')", json!(true), "string, startsWith"),
        ("startsWith('abcdef', 'e')", json!(false), "string, startsWith"),
        (
            "format('{0}, {1}. Formatted number: {2:N0}', 'Hello', 'User', 8175133)",
            json!("Hello, User. Formatted number: 8,175,133"),
            "string, format",
        ),
        (
            "format('{0:D4}|{1,5}|{1,-5}|{2:X}|{3:00.00}|{{}}', 42, 'ab', 255, 7)",
            json!("0042|   ab|ab   |FF|07.00|{}"),
            ".NET, composite formatting",
        ),
        (
            "format('{0:F1} {1:P0} {2:E2} {3}', 5, 1, 12345, true())",
            json!("5.0 100 % 1.23E+004 True"),
            ".NET, standard numeric format strings (invariant)",
        ),
        ("indexOf('test', 't')", json!(0), "string, indexOf"),
        ("lastIndexOf('test', 't')", json!(3), "string, lastIndexOf"),
        ("indexOf('abcdef', 'CD')", json!(2), "string, indexOf: without case"),
        ("lastIndexOf('abcdef', 'AB')", json!(0), "string, lastIndexOf"),
        ("indexOf('abcdef', 'z')", json!(-1), "string, indexOf"),
        ("join(createArray('one', 'two', 'three'), ',')", json!("one,two,three"), "string, join"),
        ("padLeft('123', 10, '0')", json!("0000000123"), "string, padLeft"),
        ("padLeft(7, 3)", json!("  7"), "string, padLeft"),
        ("replace('123-123-1234', '-', '')", json!("1231231234"), "string, replace"),
        ("replace('123-123-1234', '1234', 'xxxx')", json!("123-123-xxxx"), "string, replace"),
        ("split('one,two,three', ',')", json!(["one", "two", "three"]), "string, split"),
        ("split('one;two,three', createArray(',', ';'))", json!(["one", "two", "three"]), "string, split"),
        ("split('a,,b', ',')", json!(["a", "", "b"]), ".NET, String.Split"),
        (
            r#"string(json('{"valueA": 10, "valueB": "Example Text"}'))"#,
            json!(r#"{"valueA":10,"valueB":"Example Text"}"#),
            "string, string",
        ),
        ("string(createArray('a', 'b', 'c'))", json!(r#"["a","b","c"]"#), "string, string"),
        ("string(5)", json!("5"), "string, string"),
        ("string(true())", json!("True"), ".NET, Boolean.ToString"),
        ("substring('one two three', 4, 3)", json!("two"), "string, substring"),
        ("substring('one two', 4)", json!("two"), "string, substring"),
        ("toLower('One Two Three')", json!("one two three"), "string, toLower"),
        ("toUpper('One Two Three')", json!("ONE TWO THREE"), "string, toUpper"),
        ("trim('    one two three   ')", json!("one two three"), "string, trim"),
        ("'it''s'", json!("it's"), "template expressions, escape characters"),
        (
            "uri('http://contoso.org/firstpath', 'myscript.sh')",
            json!("http://contoso.org/myscript.sh"),
            "string, uri",
        ),
        (
            "uri('http://contoso.org/firstpath/', 'myscript.sh')",
            json!("http://contoso.org/firstpath/myscript.sh"),
            "string, uri",
        ),
        (
            "uri('http://contoso.org/firstpath/azuredeploy.json', 'myscript.sh')",
            json!("http://contoso.org/firstpath/myscript.sh"),
            "string, uri",
        ),
        (
            "uri('http://contoso.org/firstpath/azuredeploy.json/', 'myscript.sh')",
            json!("http://contoso.org/firstpath/azuredeploy.json/myscript.sh"),
            "string, uri",
        ),
        (
            "uri('http://contoso.com/resources/', 'nested/azuredeploy.json')",
            json!("http://contoso.com/resources/nested/azuredeploy.json"),
            "string, uri",
        ),
        ("uri('http://contoso.com/a/b/c', '../d')", json!("http://contoso.com/a/d"), "RFC 3986, section 5.4"),
        (
            "uriComponent('http://contoso.com/resources/nested/azuredeploy.json')",
            json!("http%3A%2F%2Fcontoso.com%2Fresources%2Fnested%2Fazuredeploy.json"),
            "string, uriComponent",
        ),
        (
            "uriComponentToString('http%3A%2F%2Fcontoso.com%2Fresources%2Fnested%2Fazuredeploy.json')",
            json!("http://contoso.com/resources/nested/azuredeploy.json"),
            "string, uriComponentToString",
        ),
        (
            "uniqueString('/subscriptions/31e9f9a0-9fd2-4294-a0a3-0101246d9700/resourceGroups/rg-modm201-20230913120256/providers/Microsoft.Compute/virtualMachines/bobjacmodm201')",
            json!("yvjxno3je5on2"),
            "microsoft/commercial-marketplace-offer-deploy, a unit test against Azure's own library",
        ),
        (
            "guid('a', 'b')",
            json!("2d796349-8c7e-55ec-9624-54ece82ed031"),
            "Python's uuid5 over Azure's namespace and 'a-b'",
        ),
    ]
}

#[test]
fn functions_give_what_the_pages_print() {
    for (expression, expected, source) in rows() {
        match value(expression) {
            Ok(found) => assert_eq!(found, expected, "{expression} ({source})"),
            Err(error) => panic!("{expression} ({source}): {error}"),
        }
    }
}

#[test]
fn dogs_are_sorted_and_made_an_object_as_the_page_has_it() {
    let by_age = value(&format!(
        "map(sort({DOGS}, lambda('a', 'b', less(lambdaVariables('a').age, lambdaVariables('b').age))), lambda('d', lambdaVariables('d').name))"
    ));
    assert_eq!(by_age.expect("is an expression"), json!(["Indy", "Casper", "Evie", "Kira"]));
    let by_name = value(&format!(
        "toObject({DOGS}, lambda('entry', lambdaVariables('entry').name), lambda('entry', lambdaVariables('entry').age))"
    ));
    assert_eq!(by_name.expect("is an expression"), json!({"Evie": 5, "Casper": 3, "Indy": 2, "Kira": 8}));
}

#[test]
fn a_guid_of_a_role_assignment_is_the_one_that_others_compute() {
    // The same inputs through RFC 9562's algorithm, as Terraform's uuidv5 and Python's uuid5 give it.
    let found = value("guid('/subscriptions/s', 'principal', 'role')").expect("is an expression");
    assert_eq!(found.as_str().map(|it| (it.len(), &it[14..15])), Some((36, "5")));
    assert_eq!(
        value("guid('a-b')").expect("is an expression"),
        value("guid('a', 'b')").expect("is an expression")
    );
}

#[test]
fn every_function_is_found_whatever_its_case_and_is_in_the_table_once() {
    for function in FUNCTIONS {
        let found = super::find(&function.name.to_uppercase()).map(|it| it.name);
        assert_eq!(found, Some(function.name), "the table is sorted by name");
    }
    assert!(super::find("listAnything").is_some_and(super::Function::is_of_runtime));
    assert!(super::find("nothing").is_none());
}

#[test]
fn every_plain_function_has_a_row() {
    let rows = rows();
    // Those that need names, a loop, the cloud or a default's place are in the templates.
    let elsewhere = [
        "copyIndex",
        "lambda",
        "managementGroup",
        "newGuid",
        "parameters",
        "reference",
        "references",
        "utcNow",
        "variables",
        "false",
    ];
    for function in FUNCTIONS.iter().filter(|it| !elsewhere.contains(&it.name)) {
        let call = format!("{}(", function.name);
        assert!(
            rows.iter().any(|(expression, ..)| expression.contains(&call)),
            "{} has no row",
            function.name
        );
    }
}

#[test]
fn what_a_function_cannot_take_is_refused_in_azures_words() {
    for (expression, message) in [
        ("nosuch(1)", "The template function 'nosuch' is not valid."),
        ("contoso.nosuch(1)", "The template function 'contoso.nosuch' is not valid."),
        ("add(1)", "function requires 2 argument(s) while 1 were provided"),
        ("format()", "function requires at least 1 argument(s) while 0 were provided"),
        ("substring('a')", "function requires 2 to 3 argument(s) while 1 were provided"),
        (
            "add('1', 2)",
            "expects its parameter at position '1' to be of type 'Integer'. The provided value is of type 'String'",
        ),
        ("concat(createArray(1), 'a')", "Either all or none of the parameters must be of type 'Array'"),
        ("union(json('{}'), createArray())", "must be of type 'Object'"),
        ("int('four')", "cannot convert the value 'four' to the type 'Integer'"),
        ("bool('maybe')", "cannot convert the value 'maybe' to the type 'Boolean'"),
        ("json('{')", "to the type 'JSON'"),
        ("base64ToString('?')", "to the type 'base64'"),
        (
            "substring('1234567890', 0, 11)",
            "The index and length parameters must refer to a location within the string. The index parameter: '0', the length parameter: '11', the length of the string parameter: '10'.",
        ),
        ("div(1, 0)", "attempted to divide by zero"),
        ("mod(1, 0)", "attempted to divide by zero"),
        ("mul(9223372036854775807, 2)", "is too large or too small for an integer"),
        ("range(0, 10001)", "must not be negative, nor more than 10,000"),
        ("range(2147483647, 1)", "nor lead beyond 2147483647"),
        ("padLeft('a', 200000)", "which is more than is allowed"),
        ("format('{0', 1)", "The format '{0' of the template function 'format' is not valid"),
        ("format('{1}', 1)", "The format '{1}' of the template function 'format' is not valid"),
        ("dateTimeAdd('yesterday', 'P1D')", "expects a time in ISO 8601; the value 'yesterday' is not one"),
        (
            "dateTimeAdd('2020-01-01T00:00:00Z', '1 day')",
            "expects a duration in ISO 8601; the value '1 day' is not one",
        ),
        (
            "dateTimeAdd('2020-01-01T00:00:00Z', 'P1D', 'Q')",
            "The format 'Q' of the template function 'dateTimeAdd' is not valid",
        ),
        ("parseCidr('10.0.0.0')", "expects a network in CIDR notation; the value '10.0.0.0' is not one"),
        ("cidrSubnet('10.0.0.0/24', 25, 2)", "which the network '10.0.0.0/24' does not have"),
        ("cidrHost('10.0.0.0/30', 2)", "was given '2', which the network '10.0.0.0/30' does not have"),
        (
            "resourceId('Microsoft.Sql/servers/databases', 's')",
            "the type 'Microsoft.Sql/servers/databases' requires '2' resource name argument(s)",
        ),
        ("resourceId('a', 'b')", "At least one parameter should be a resource type"),
        ("managementGroup()", "is not supported in a deployment at this scope"),
        ("fail('our own words')", "our own words"),
        (
            "map(createArray(1), 'x')",
            "expects its parameter at position '2' to be a lambda of 1 parameter(s)",
        ),
        ("sort(createArray(1), lambda('a', true()))", "to be a lambda of 2 parameter(s)"),
        ("filter(createArray(1), lambda('a', lambdaVariables('b')))", "The lambda variable 'b' is not found"),
        ("lambda('a', 1)", "The template function 'lambda' is not expected at this location"),
        ("filter(createArray(1), lambda('a', 1))", "lambda that gives a Boolean"),
        ("providers('Contoso.Nothing')", "does not know the namespace or type 'Contoso.Nothing'"),
        (
            "pickZones('Microsoft.Compute', 'virtualMachines', 'westus2', 4)",
            "was asked for '4' zone(s) from '0'",
        ),
        (
            "json('{\"a\": 1}').b",
            "The language expression property 'b' doesn't exist, available properties are 'a'.",
        ),
        (
            "json('{\"a\": 1}')[0]",
            "The language expression property '0' can't be evaluated, property name must be a string.",
        ),
        (
            "json('1').a",
            "The language expression property 'a' can't be evaluated: the value is of type 'Integer'.",
        ),
        ("json('[1]')[1]", "The language expression property array index '1' is out of bounds."),
        ("indexFromEnd(json('[1]'), 2)", "array index '2' is out of bounds"),
        ("utcNow()", "The template function 'utcNow' is not expected at this location"),
        ("newGuid()", "The template function 'newGuid' is not expected at this location"),
        (
            "copyIndex()",
            "The function can only be used in a resource, a property, a variable or an output with copy specified",
        ),
        ("parameters('x')", "The template parameter 'x' is not found"),
        ("variables('x')", "The template variable 'x' is not found"),
        ("reference('x')", "The resource 'x' is not defined in the template"),
        ("reference('/subscriptions/s')", "requires an api-version"),
        ("if('a', 1, 2)", "to be of type 'Boolean'"),
        (
            "filter(range(0, 10000), lambda('a', contains(range(0, 10000), lambdaVariables('a'))))",
            "more than 4000000 evaluations",
        ),
    ] {
        match value(expression) {
            Ok(found) => panic!("{expression} gave {found}"),
            Err(error) => assert!(error.message().contains(message), "{expression}: {}", error.message()),
        }
    }
}
