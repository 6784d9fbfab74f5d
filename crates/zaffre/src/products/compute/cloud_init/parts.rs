//! The forms that user data comes in, taken apart. Pure.
//!
//! ```text
//! gzip ─▶ MIME, parts in parts ─▶ an archive (YAML) ─▶ scripts, hooks, configs
//! ```
//!
//! What a part is, its content type says; where that is a general one, its first line, as for data that is not in parts at all (cloud-init,
//! "User data formats"; the prefixes are those of its `INCLUSION_TYPES_MAP`).

use azure::text::base64_decode;
use yaml_rust2::{Yaml, YamlLoader};

/// What is to be done with a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Config,
    /// Run at the end, in the order of their names.
    Script,
    /// Run before those, at every boot, at an instance's first, or once ever: here all of them are first boots.
    Early,
    /// Run before anything else.
    Hook,
    /// More parts, in YAML.
    Archive,
    /// Something that is not done here, and why not.
    Not(&'static str),
}

pub(super) struct Part {
    pub(super) form: Form,
    /// What its script is called: the file's name that it came with, else its number.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// How a form is told: by its content type, and by what its first line begins with. Longer beginnings before their own beginnings.
struct Told(&'static str, &'static str, Form);

static FORMS: &[Told] = &[
    Told("text/cloud-config-archive", "#cloud-config-archive", Form::Archive),
    Told(
        "text/cloud-config-jsonp",
        "#cloud-config-jsonp",
        Form::Not("patches of a cloud-config are not read here"),
    ),
    Told("text/cloud-config", "#cloud-config", Form::Config),
    Told("text/cloud-boothook", "#cloud-boothook", Form::Hook),
    Told("text/x-shellscript-per-boot", "", Form::Early),
    Told("text/x-shellscript-per-instance", "", Form::Early),
    Told("text/x-shellscript-per-once", "", Form::Early),
    Told("text/x-shellscript", "#!", Form::Script),
    Told(
        "text/x-include-once-url",
        "#include-once",
        Form::Not("a machine here reaches no other host to fetch it from"),
    ),
    Told(
        "text/x-include-url",
        "#include",
        Form::Not("a machine here reaches no other host to fetch it from"),
    ),
    Told("text/jinja2", "## template: jinja", Form::Not("templates are not filled in here")),
    Told("text/part-handler", "#part-handler", Form::Not("handlers are programs for cloud-init itself")),
    Told("text/upstart-job", "#upstart-job", Form::Not("there is no upstart")),
];

/// More than any of Azure's (64 KiB) comes to.
const UNPACKED_MAX: usize = 16 << 20;
/// Parts in parts.
const DEPTH_MAX: usize = 4;

/// Takes data apart, and says what of it is not read. What is nothing that cloud-init knows is the user's own, and no part.
pub(super) fn read(bytes: Vec<u8>, notes: &mut Vec<String>) -> Vec<Part> {
    let mut reader = Reader { parts: Vec::new(), notes, count: 0 };
    reader.read(bytes, "", None, 0);
    reader.parts
}

struct Reader<'n> {
    parts: Vec<Part>,
    notes: &'n mut Vec<String>,
    count: usize,
}

impl Reader<'_> {
    fn read(&mut self, bytes: Vec<u8>, kind: &str, name: Option<String>, depth: usize) {
        if depth > DEPTH_MAX {
            return self.notes.push("parts in parts in parts are not read".to_owned());
        }
        let Some(bytes) = unpacked(bytes) else {
            return self.notes.push("the data is compressed, and not by gzip as it says".to_owned());
        };
        let first = first_line(&bytes);
        let is_mime =
            ["content-type:", "mime-version:"].iter().any(|it| first.to_ascii_lowercase().starts_with(it));
        if kind.starts_with("multipart/") || is_mime {
            return self.multipart(&bytes, depth);
        }
        self.count += 1;
        let Some(form) = form(kind, &first) else { return };
        match form {
            Form::Archive => self.archive(&bytes, depth),
            Form::Not(why) => self.notes.push(format!("`{}` is not done: {why}", called(kind, &first))),
            form => {
                let name = name.unwrap_or_else(|| format!("part-{:03}", self.count));
                self.parts.push(Part { form, name, bytes });
            }
        }
    }

    /// A message with headers of its own, and parts between its boundaries (RFC 2046 §5.1).
    fn multipart(&mut self, message: &[u8], depth: usize) {
        let (headers, body) = headers(message);
        let kind = header(&headers, "content-type").unwrap_or_default();
        if !kind.to_ascii_lowercase().starts_with("multipart/") {
            return self.part(&headers, body, depth);
        }
        let Some(boundary) = parameter(kind, "boundary") else {
            return self.notes.push("the parts have no boundary".to_owned());
        };
        for part in between(body, &boundary) {
            let (headers, content) = self::headers(part);
            self.part(&headers, content, depth);
        }
    }

    fn part(&mut self, headers: &[(String, String)], content: &[u8], depth: usize) {
        let whole = header(headers, "content-type").unwrap_or("text/plain");
        let kind = whole.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let file = header(headers, "content-disposition").and_then(|it| parameter(it, "filename"));
        let encoding =
            header(headers, "content-transfer-encoding").unwrap_or("7bit").trim().to_ascii_lowercase();
        let content = match encoding.as_str() {
            "7bit" | "8bit" | "binary" => Some(content.to_vec()),
            "base64" => {
                let text: String =
                    content.iter().map(|it| char::from(*it)).filter(|it| !it.is_whitespace()).collect();
                base64_decode(&text)
            }
            _ => None,
        };
        match content {
            // The headers of what is in parts again stand before these parts.
            Some(content) if kind.starts_with("multipart/") => {
                let again = [format!("Content-Type: {whole}\n\n").into_bytes(), content].concat();
                self.read(again, &kind, None, depth + 1);
            }
            Some(content) => self.read(content, &kind, file, depth + 1),
            None => self.notes.push(format!("a part is not read: its encoding is `{encoding}`")),
        }
    }

    /// `#cloud-config-archive`: a list of texts, or of texts with their types and names.
    fn archive(&mut self, bytes: &[u8], depth: usize) {
        let documents = YamlLoader::load_from_str(&String::from_utf8_lossy(bytes));
        let items = documents.ok().and_then(|it| it.into_iter().next()).and_then(Yaml::into_vec);
        let Some(items) = items else { return self.notes.push("the archive is no list in YAML".to_owned()) };
        for item in items {
            let text = item.as_str().or_else(|| item["content"].as_str()).unwrap_or_default();
            let kind = item["type"].as_str().unwrap_or_default().to_ascii_lowercase();
            let name = item["filename"].as_str().map(str::to_owned);
            self.read(text.as_bytes().to_vec(), &kind, name, depth + 1);
        }
    }
}

fn first_line(bytes: &[u8]) -> String {
    let line = bytes.split(|it| *it == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(&line[..line.len().min(200)]).trim_end().to_owned()
}

fn called<'a>(kind: &'a str, first: &'a str) -> &'a str {
    if first.starts_with('#') { first } else { kind }
}

/// By its type where that is one of the table's; else by its first line.
fn form(kind: &str, first: &str) -> Option<Form> {
    let by_kind = FORMS.iter().find(|Told(it, _, _)| *it == kind);
    let begins = |Told(_, begin, _): &&Told| !begin.is_empty() && first.starts_with(begin);
    by_kind.or_else(|| FORMS.iter().find(begins)).map(|Told(_, _, form)| *form)
}

/// What gzip packed (RFC 1952), and anything else as it is; none where it cannot be unpacked.
fn unpacked(bytes: Vec<u8>) -> Option<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Some(bytes);
    }
    const EXTRA: u8 = 4;
    const TEXTS: [u8; 2] = [8, 16];
    const CHECK: u8 = 2;
    let flags = *bytes.get(3).filter(|_| bytes[2] == 8)?;
    let mut rest = bytes.get(10..)?;
    if flags & EXTRA != 0 {
        let length = usize::from(u16::from_le_bytes(*rest.first_chunk()?));
        rest = rest.get(2 + length..)?;
    }
    for _ in TEXTS.iter().filter(|it| flags & **it != 0) {
        let end = rest.iter().position(|it| *it == 0)?;
        rest = rest.get(end + 1..)?;
    }
    if flags & CHECK != 0 {
        rest = rest.get(2..)?;
    }
    miniz_oxide::inflate::decompress_to_vec_with_limit(rest, UNPACKED_MAX).ok()
}

/// A message's headers, those on several lines as one, and what stands behind the empty line.
fn headers(message: &[u8]) -> (Vec<(String, String)>, &[u8]) {
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let end = rest.iter().position(|it| *it == b'\n').map_or(rest.len(), |it| it + 1);
        let line = String::from_utf8_lossy(&rest[..end]).trim_end().to_owned();
        rest = &rest[end..];
        match (line.split_once(':'), headers.last_mut()) {
            _ if line.is_empty() => break,
            (_, Some((_, value))) if line.starts_with([' ', '\t']) => {
                value.push_str(&format!(" {}", line.trim()))
            }
            (Some((name, value)), _) => headers.push((name.trim().to_owned(), value.trim().to_owned())),
            // `From …` and the like.
            (None, _) => {}
        }
    }
    (headers, rest)
}

fn header<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// `boundary="x"` behind a value.
fn parameter(value: &str, name: &str) -> Option<String> {
    let parameters = value.split(';').skip(1).filter_map(|it| it.trim().split_once('='));
    let (_, found) = parameters.into_iter().find(|(it, _)| it.trim().eq_ignore_ascii_case(name))?;
    Some(found.trim().trim_matches('"').to_owned())
}

/// The parts of a body, without the line ends before their boundaries.
fn between<'b>(body: &'b [u8], boundary: &str) -> Vec<&'b [u8]> {
    let (begin, end) = (format!("--{boundary}"), format!("--{boundary}--"));
    let (mut parts, mut from, mut at) = (Vec::new(), None, 0);
    for line in body.split_inclusive(|it| *it == b'\n') {
        let text = line.trim_ascii_end();
        let is_end = text == end.as_bytes();
        if is_end || text == begin.as_bytes() {
            parts.extend(from.map(|from| without_line_end(&body[from..at])));
            from = (!is_end).then_some(at + line.len());
        }
        at += line.len();
    }
    // One whose last boundary is missing is whole all the same.
    parts.extend(from.map(|from| &body[from..]));
    parts
}

fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(data: &[u8]) -> (Vec<(Form, String, String)>, String) {
        let mut notes = Vec::new();
        let parts = read(data.to_vec(), &mut notes);
        let one = |it: Part| (it.form, it.name, String::from_utf8(it.bytes).expect("text"));
        (parts.into_iter().map(one).collect(), notes.join("\n"))
    }

    const MIME: &str = "From nobody\nMIME-Version: 1.0\nContent-Type: multipart/mixed;\n  boundary=\"==1==\"\n\nPreamble.\n--==1==\n\
                        Content-Type: text/cloud-config; charset=\"us-ascii\"\nContent-Disposition: attachment; filename=\"my.cfg\"\n\n\
                        a: 1\n--==1==\nContent-Type: text/x-shellscript\nContent-Transfer-Encoding: base64\n\nIyEvYmlu\nL3NoCg==\n\n\
                        --==1==\nContent-Type: multipart/alternative; boundary=two\n\n--two\n\n#cloud-boothook\n#!/bin/sh\n--two--\n\
                        --==1==\nContent-Type: text/x-include-url\n\nhttps://example.org/\n--==1==\nContent-Type: text/plain\n\nmine\n--==1==--\nEpilogue.\n";

    #[test]
    fn a_message_is_its_parts_and_what_cannot_be_done_is_said() {
        let mime = MIME.strip_prefix("From nobody\n").expect("it begins so");
        let (parts, notes) = told(mime.as_bytes());
        let expected = [
            (Form::Config, "my.cfg", "a: 1"),
            (Form::Script, "part-002", "#!/bin/sh\n"),
            (Form::Hook, "part-003", "#cloud-boothook\n#!/bin/sh"),
        ];
        assert_eq!(parts, expected.map(|(form, name, text)| (form, name.to_owned(), text.to_owned())));
        assert!(
            notes.contains("`text/x-include-url` is not done: a machine here reaches no other host"),
            "{notes}"
        );
        // As mail programs send it.
        assert_eq!(told(mime.replace('\n', "\r\n").as_bytes()).0.len(), 3);
    }

    #[test]
    fn data_is_told_by_its_first_line() {
        for (data, form, note) in [
            ("#!/bin/sh\n", Some(Form::Script), ""),
            ("#cloud-config\na: 1", Some(Form::Config), ""),
            ("#cloud-boothook\n", Some(Form::Hook), ""),
            ("#cloud-config-archive\n- type: text/cloud-config\n  content: 'a: 1'\n", Some(Form::Config), ""),
            ("#cloud-config-archive\na: [", None, "no list in YAML"),
            ("#include\nhttps://example.org/\n", None, "`#include` is not done"),
            ("#include-once\nhttps://example.org/\n", None, "`#include-once` is not done"),
            ("## template: jinja\n#cloud-config\n", None, "templates are not filled in"),
            ("#part-handler\n", None, "programs for cloud-init itself"),
            ("Content-Type: multipart/mixed\n\n", None, "no boundary"),
            ("{\"my\": \"own\"}", None, ""),
        ] {
            let (parts, notes) = told(data.as_bytes());
            assert_eq!(parts.first().map(|it| it.0), form, "{data}");
            assert!(notes.contains(note) && notes.is_empty() == note.is_empty(), "{data}: {notes}");
        }
    }

    #[test]
    fn what_is_packed_is_unpacked_and_no_further_than_it_may() {
        // `printf '#!/bin/sh\necho packed\n' | gzip -n`, with a name written in.
        let deflated = miniz_oxide::deflate::compress_to_vec(b"#!/bin/sh\necho packed\n", 6);
        let packed = |flags: u8, extra: &[u8]| {
            [&[0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3], extra, &deflated, &[0; 8]].concat()
        };
        for (flags, extra) in [(0, &b""[..]), (8, b"script.sh\0"), (4 | 2, b"\x02\0ab\x01\x02")] {
            assert_eq!(told(&packed(flags, extra)).0[0].2, "#!/bin/sh\necho packed\n", "{flags}");
        }
        assert!(told(&[0x1f, 0x8b, 8, 0, 1]).1.contains("not by gzip"));
        let bomb = miniz_oxide::deflate::compress_to_vec(&vec![b'#'; UNPACKED_MAX + 1], 6);
        assert!(
            told(&[&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], bomb.as_slice()].concat())
                .1
                .contains("not by gzip")
        );
    }

    #[test]
    fn nothing_that_comes_in_is_too_deep() {
        let mut message = "#!/bin/sh\n".to_owned();
        for depth in 0..20 {
            message = format!(
                "Content-Type: multipart/mixed; boundary=b{depth}\n\n--b{depth}\n{message}\n--b{depth}--\n"
            );
        }
        assert!(told(message.as_bytes()).1.contains("parts in parts"));
    }
}
