//! A form's parameters.

use azure::{error::Result, text};

use super::codes;
use crate::service::Body;

/// Assertions are the longest that clients send; they stay below 32 KiB.
const FORM_BYTES: usize = 128 << 10;

#[derive(Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// A body of another type counts as a form without parameters: Entra ID then misses `grant_type`.
    pub(super) async fn read(is_form: bool, body: Body) -> Result<Self> {
        let bytes = body.bytes(FORM_BYTES).await?;
        if !is_form {
            return Ok(Form(Vec::new()));
        }
        let pairs = std::str::from_utf8(&bytes).ok().and_then(text::form_decode).ok_or(&codes::MALFORMED)?;
        Form::of(pairs)
    }

    /// No parameter may come twice.
    pub(super) fn of(pairs: Vec<(String, String)>) -> Result<Self> {
        let is_repeated = |at: usize| pairs[..at].iter().any(|(name, _)| *name == pairs[at].0);
        match (0..pairs.len()).any(is_repeated) {
            true => Err((&codes::MALFORMED).into()),
            false => Ok(Form(pairs)),
        }
    }

    /// A parameter that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }

    pub(super) fn required(&self, name: &'static str) -> Result<&str> {
        self.get(name).ok_or_else(|| codes::MISSING_PARAMETER.with([name]))
    }
}
