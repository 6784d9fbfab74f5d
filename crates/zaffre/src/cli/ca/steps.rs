//! What is done to a store, step by step: said before it is done, and only said in a dry run.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{StartError, front::ca::write_whole};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing to do, and why.
    Already(String),
    /// Something that was to be done and is not, and what would help.
    Cannot(String),
    Write(PathBuf, String),
    Remove(PathBuf),
    Run(PathBuf, Vec<String>),
}

impl Step {
    /// In the form that follows "would".
    fn words(&self) -> String {
        match self {
            Step::Already(why) | Step::Cannot(why) => why.clone(),
            Step::Write(path, _) => format!("write {}", path.display()),
            Step::Remove(path) => format!("remove {}", path.display()),
            Step::Run(program, words) => {
                let words =
                    words.iter().map(|it| if it.contains(' ') { format!("'{it}'") } else { it.clone() });
                let all: Vec<String> = [program.display().to_string()].into_iter().chain(words).collect();
                format!("run {}", all.join(" "))
            }
        }
    }

    fn take(&self) -> Result<(), StartError> {
        match self {
            Step::Already(_) | Step::Cannot(_) => Ok(()),
            Step::Write(path, text) => Ok(write_whole(path, text.as_bytes(), 0o644)?),
            Step::Remove(path) => Ok(fs::remove_file(path)?),
            Step::Run(program, words) => {
                let output = Command::new(program).args(words).stdin(Stdio::null()).output()?;
                if output.status.success() {
                    return Ok(());
                }
                let said = String::from_utf8_lossy(&output.stderr);
                Err(format!("{}: {}", output.status, said.trim()).into())
            }
        }
    }
}

/// Takes all steps in turn, or only says them. What fails ends it, by name.
pub(super) fn done(
    steps: &[Step],
    dry_run: bool,
    mut say: impl FnMut(&str) -> Result<(), StartError>,
) -> Result<(), StartError> {
    for step in steps {
        let words = step.words();
        match step {
            Step::Already(_) | Step::Cannot(_) => say(&words)?,
            Step::Write(..) | Step::Remove(_) | Step::Run(..) if dry_run => say(&format!("would {words}"))?,
            Step::Write(..) | Step::Remove(_) | Step::Run(..) => {
                step.take().map_err(|error| format!("cannot {words}: {error}"))?;
                say(&words)?;
            }
        }
    }
    Ok(())
}
