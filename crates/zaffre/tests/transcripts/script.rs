//! A transcript's text, taken apart.

/// What is said, and by what it is introduced.
pub(super) struct Script {
    pub(super) head: String,
    pub(super) exchanges: Vec<Exchange>,
}

/// One request, as it is written. What was answered last time is not kept.
pub(super) struct Exchange {
    pub(super) title: String,
    /// Everything between the title and `---`, to be printed again.
    pub(super) text: String,
    pub(super) directives: Vec<String>,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Script {
    pub(super) fn parse(text: &str) -> Result<Script, String> {
        let mut parts = text.split("### ");
        let head = parts.next().unwrap_or_default().to_owned();
        let exchanges = parts.map(Exchange::parse).collect::<Result<_, _>>()?;
        Ok(Script { head, exchanges })
    }
}

impl Exchange {
    fn parse(text: &str) -> Result<Exchange, String> {
        let (title, rest) = text.split_once('\n').ok_or("a title has no request")?;
        let request = rest.split("\n---").next().unwrap_or_default().trim_end().to_owned();
        let lines = request.lines().collect::<Vec<_>>();
        let first = lines.iter().position(|line| !line.starts_with('@')).ok_or("no request line")?;
        let (method, target) =
            lines[first].split_once(' ').ok_or_else(|| format!("no request line under `{title}`"))?;
        let end =
            lines.iter().skip(first).position(|line| line.is_empty()).map_or(lines.len(), |at| at + first);
        let header = |line: &&str| {
            let (name, value) = line.split_once(':').ok_or_else(|| format!("`{line}` is no header"))?;
            Ok::<_, String>((name.trim().to_owned(), value.trim().to_owned()))
        };
        Ok(Exchange {
            title: title.trim().to_owned(),
            directives: lines[..first].iter().map(|line| line[1..].to_owned()).collect(),
            method: method.to_owned(),
            target: target.trim().to_owned(),
            headers: lines[first + 1..end].iter().map(header).collect::<Result<_, _>>()?,
            body: lines.get(end + 1..).unwrap_or_default().join("\n"),
            text: request,
        })
    }
}

#[test]
fn an_exchange_has_directives_a_request_headers_and_a_body() {
    let script = Script::parse("head\n\n### one\n@token admin\nPUT /x?y=1\nA: b\n\n{}\n---\n200 OK\n")
        .expect("parses");
    let one = &script.exchanges[0];
    assert_eq!((one.title.as_str(), one.method.as_str(), one.target.as_str()), ("one", "PUT", "/x?y=1"));
    assert_eq!(one.directives, ["token admin"]);
    assert_eq!(one.headers, [("A".to_owned(), "b".to_owned())]);
    assert_eq!(one.body, "{}");
}
