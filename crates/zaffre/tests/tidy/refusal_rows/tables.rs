//! The tables of errors, read as text.

/// One row, as far as it matters here.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    /// `404`, or with a sub-status `404/1002`.
    status: String,
    pub(super) code: String,
    pub(super) template: String,
}

/// The rows in a file: of a table, whose items begin with their names and end with code, message and source; and those
/// that stand alone, which begin with code and message.
pub(super) fn rows(text: &str) -> Vec<Row> {
    let tables = ["error_rows! {", "\nrefusals! {", "\ncodes! {"];
    let mut found = Vec::new();
    for table in tables.into_iter().flat_map(|it| text.split(it).skip(1)) {
        let mut rest = table.split("\n}").next().unwrap_or_default();
        while let Some((name, after)) = item(rest) {
            let (literals, end) = literals(after);
            if let [.., code, template, _] = literals.as_slice() {
                found.push(Row::new(name, number(after), code, template));
            }
            rest = end;
        }
    }
    for alone in text.split("static ").skip(1) {
        let Some((name, value)) = alone.split_once(": Row =").filter(|(name, _)| is_name(name)) else {
            continue;
        };
        if let [code, template, ..] = literals(value).0.as_slice() {
            let behind = value.split_once(code.as_str()).map_or("", |(_, behind)| behind);
            found.push(Row::new(name, number(behind), code, template));
        }
    }
    found
}

impl Row {
    pub(super) fn new(name: &str, status: &str, code: &str, template: &str) -> Self {
        let [name, status, code, template] = [name, status, code, template].map(str::to_owned);
        Row { name, status, code, template }
    }

    /// How tests and golden files write a status with its code, or with its sub-status.
    pub(super) fn answers(&self) -> Vec<String> {
        let (status, substatus) = self.status.split_once('/').unwrap_or((&self.status, "0"));
        let code = &self.code;
        let by_code = [
            format!("{status}, \"{code}\""),
            format!("{status}, &json!(\"{code}\")"),
            format!("{status} {code}\n"),
        ];
        let by_substatus = (substatus != "0").then(|| format!("({status}, {substatus})"));
        by_code.into_iter().chain(by_substatus).collect()
    }
}

/// The first number, with what a slash adds to it.
fn number(text: &str) -> &str {
    let text = &text[text.find(|it: char| it.is_ascii_digit()).unwrap_or(text.len())..];
    &text[..text.find(|it: char| !(it.is_ascii_digit() || it == '/')).unwrap_or(text.len())]
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_')
}

/// The first word of a table's next item, behind comments, and what follows it.
fn item(text: &str) -> Option<(&str, &str)> {
    let mut rest = text.trim_start();
    while rest.starts_with("//") {
        rest = rest.split_once('\n')?.1.trim_start();
    }
    let end = rest.find(|it: char| !(it.is_ascii_alphanumeric() || it == '_'))?;
    Some(rest.split_at(end))
}

/// The string literals up to the next `;`, and what is behind that.
fn literals(text: &str) -> (Vec<String>, &str) {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find(['"', ';']) {
        if rest[at..].starts_with(';') {
            return (found, &rest[at + 1..]);
        }
        let (said, after) = literal(&rest[at + 1..]);
        found.push(said);
        rest = after;
    }
    (found, "")
}

/// What a string literal says, its first quote behind it, and what follows.
pub(super) fn literal(text: &str) -> (String, &str) {
    let (mut said, mut chars) = (String::new(), text.char_indices());
    while let Some((at, it)) = chars.next() {
        match it {
            '"' => return (said, &text[at + 1..]),
            '\\' => match chars.next() {
                // A line that goes on begins where its text does.
                Some((at, '\n')) => {
                    let indent = text[at + 1..].len() - text[at + 1..].trim_start().len();
                    (0..indent).for_each(|_| _ = chars.next());
                }
                Some((_, escaped)) => said.push(escaped),
                None => {}
            },
            other => said.push(other),
        }
    }
    (said, "")
}

#[test]
fn rows_are_read_from_tables_of_every_kind() {
    let text = "azure::error_rows! {\n    pub(crate) static TABLE;\n    // It's; gone.\n    \
                ONE = 404 \"OneGone\" \"a = 'b'; \\\"c\\\".\", \"arm.md\";\n}\n\
                \nrefusals! {\n    TWO = 400 \"invalid\" \"AADSTS700016\"\n        \"text; {0}\", \"x\";\n}\n\
                \ncodes! {\n    THREE 401/5000 \"No\" Gateway \"three\" \"x\";\n}\n\
                static FOUR: Row = row(\"Four\", 400, \"a \\\n     b\");\n\
                static FIVE: Row = Row {\n    code: \"Five\", status: 1, template: \"five\", source: \"x\" };\n\
                static OTHER: &str = \"other\";\n";
    let expected = [
        ("ONE", "404", "OneGone", "a = 'b'; \"c\"."),
        ("TWO", "400", "AADSTS700016", "text; {0}"),
        ("THREE", "401/5000", "No", "three"),
        ("FOUR", "400", "Four", "a b"),
        ("FIVE", "1", "Five", "five"),
    ];
    assert_eq!(
        rows(text),
        expected.map(|(name, status, code, template)| Row::new(name, status, code, template))
    );
}
