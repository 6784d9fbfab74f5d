//! What is known about an attempt, for conditions to look at.
//!
//! Values are text; the operator that looks says what they are read as. Names compare without regard
//! to case but for the key of a blob index tag, which a condition marks with
//! `<$key_case_sensitive$>`: `…/blobs/tags:Project<$key_case_sensitive$>`.

use std::{borrow::Cow, fmt, str::FromStr};

use crate::time::Timestamp;

/// Where an attribute is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    Resource,
    Request,
    Principal,
    Environment,
}

impl Source {
    const ALL: [Source; 4] = [Source::Resource, Source::Request, Source::Principal, Source::Environment];

    const fn as_str(self) -> &'static str {
        match self {
            Source::Resource => "Resource",
            Source::Request => "Request",
            Source::Principal => "Principal",
            Source::Environment => "Environment",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Source {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Source::ALL.into_iter().find(|it| it.as_str().eq_ignore_ascii_case(text)).ok_or(())
    }
}

/// What a service says about an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    known: Vec<Attribute>,
    /// `Blob.List`; none or one.
    suboperation: Vec<String>,
    is_partial: bool,
    now: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Attribute {
    source: Source,
    name: Cow<'static, str>,
    values: Vec<String>,
}

impl Attributes {
    pub const fn none() -> Self {
        Attributes { known: Vec::new(), suboperation: Vec::new(), is_partial: false, now: None }
    }

    /// The same and one more; one that is there already gets one value more.
    pub fn with(
        mut self,
        source: Source,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Self {
        let name = name.into();
        match self.known.iter_mut().find(|it| it.source == source && it.name == name) {
            Some(known) => known.values.push(value.into()),
            None => self.known.push(Attribute { source, name, values: vec![value.into()] }),
        }
        self
    }

    pub fn resource(self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.with(Source::Resource, name, value)
    }

    pub fn request(self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.with(Source::Request, name, value)
    }

    /// The same for a suboperation of the action.
    pub fn suboperation(self, name: impl Into<String>) -> Self {
        Attributes { suboperation: vec![name.into()], ..self }
    }

    /// The same at a time: `@Environment[UtcNow]`, which is printed only for the condition that looks at it.
    pub fn at(self, now: Timestamp) -> Self {
        Attributes { now: Some(now), ..self }
    }

    /// The same, of an attempt of which the body will tell more: what is unknown does not refuse it
    /// yet. Whoever says so asks again when the body has been read.
    pub fn partial(self) -> Self {
        Attributes { is_partial: true, ..self }
    }

    pub fn is_partial(&self) -> bool {
        self.is_partial
    }

    pub(super) fn suboperations(&self) -> &[String] {
        &self.suboperation
    }

    /// What is known of an attribute; `None` where nothing is.
    pub(super) fn values(&self, name: &Name) -> Option<Cow<'_, [String]>> {
        // The old spelling of `SubOperationMatches`: an attempt without a suboperation is known to
        // have none.
        if name.source == Source::Request && name.text.eq_ignore_ascii_case("subOperation") {
            return Some(Cow::Borrowed(&self.suboperation));
        }
        if name.source == Source::Environment && name.text.eq_ignore_ascii_case("UtcNow") {
            return self.now.map(|now| Cow::Owned(vec![now.iso()]));
        }
        let known = self.known.iter().find(|it| it.source == name.source && name.is(&it.name))?;
        Some(Cow::Borrowed(&known.values))
    }
}

/// An attribute as a condition names it.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) source: Source,
    pub(super) text: String,
}

impl Name {
    fn is(&self, supplied: &str) -> bool {
        let Some(marked) = self.text.strip_suffix("<$key_case_sensitive$>") else {
            return self.text.eq_ignore_ascii_case(supplied);
        };
        match (marked.split_once(':'), supplied.split_once(':')) {
            (Some((path, key)), Some((its_path, its_key))) => {
                path.eq_ignore_ascii_case(its_path) && key == its_key
            }
            _ => false,
        }
    }
}
