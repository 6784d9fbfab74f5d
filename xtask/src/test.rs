//! `cargo xtask test`: says what it will do, sees that the tools are there, runs the stages, says where the time went.
//!
//! A stage that fails does not stop the others, so that one run shows all there is to mend; only where the program
//! itself does not build there is nothing to go on with. The last line counts every test of every stage.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::place;
use crate::stages::{STAGES, Stage};
use crate::tools;

pub(crate) fn run(names: &[String]) -> Result<(), String> {
    let stages = named(names)?;
    print_plan(&stages)?;
    tools::require(stages.iter().flat_map(|stage| stage.needs))?;
    let outcomes = run_all(&stages);
    print_times(&outcomes);
    let total: Count = outcomes.iter().filter_map(|outcome| outcome.ran.as_ref()).map(|ran| ran.count).sum();
    let bad: Vec<&str> = outcomes.iter().filter(|it| !it.is_good()).map(|it| it.stage.name).collect();
    println!("\n{total}");
    if bad.is_empty() { Ok(()) } else { Err(format!("not good: {}", bad.join(", "))) }
}

/// The stages asked for, in the table's order; all of them where none is named.
fn named(names: &[String]) -> Result<Vec<&'static Stage>, String> {
    if let Some(stranger) = names.iter().find(|name| STAGES.iter().all(|stage| stage.name != **name)) {
        let known: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
        return Err(format!("no stage `{stranger}`; there are: {}", known.join(", ")));
    }
    let is_wanted = |stage: &&Stage| names.is_empty() || names.iter().any(|name| stage.name == name);
    Ok(STAGES.iter().filter(is_wanted).collect())
}

fn print_plan(stages: &[&Stage]) -> Result<(), String> {
    println!("the plan:");
    for stage in stages {
        println!("  {:<7} {}\n          {}", stage.name, stage.says, filled_in(stage.command)?.join(" "));
    }
    Ok(())
}

/// What became of a stage.
struct Outcome {
    stage: &'static Stage,
    /// None where an earlier failure left it out.
    ran: Option<Ran>,
}

struct Ran {
    is_good: bool,
    took: Duration,
    count: Count,
}

impl Outcome {
    fn is_good(&self) -> bool {
        self.ran.as_ref().is_some_and(|ran| ran.is_good)
    }

    fn word(&self) -> &'static str {
        match &self.ran {
            Some(Ran { is_good: true, .. }) => "good",
            Some(Ran { is_good: false, .. }) => "FAILED",
            None => "left out",
        }
    }
}

fn run_all(stages: &[&'static Stage]) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    for stage in stages {
        let is_pointless =
            outcomes.iter().any(|earlier| earlier.stage.later_ones_need_it && !earlier.is_good());
        let ran = (!is_pointless).then(|| run_one(stage));
        outcomes.push(Outcome { stage, ran });
    }
    outcomes
}

#[expect(clippy::disallowed_methods, reason = "how long a stage took is for the person who waits")]
fn run_one(stage: &Stage) -> Ran {
    println!("\n[{}]", stage.name);
    let start = Instant::now();
    let (is_good, count) = run_command(stage.command).unwrap_or_else(|why| {
        println!("{why}");
        (false, Count::default())
    });
    Ran { is_good: is_good && count.failed == 0, took: start.elapsed(), count }
}

/// Runs a stage's command line, passes its output on as it comes, and counts the tests it reports.
pub(crate) fn run_command(command: &[&str]) -> Result<(bool, Count), String> {
    run_with(command, &[])
}

/// The same, with these variables.
pub(crate) fn run_with(command: &[&str], variables: &[(&str, &Path)]) -> Result<(bool, Count), String> {
    let words = filled_in(command)?;
    let (program, args) = words.split_first().expect("a stage names a program");
    let cannot = |why| format!("cannot run `{program}`: {why}");
    let mut child = Command::new(program)
        .args(args)
        .envs(variables.iter().copied())
        .current_dir(place::root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(cannot)?;
    let stdout = child.stdout.take().expect("the output was asked for");
    let mut count = Count::default();
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(cannot)?;
        println!("{line}");
        count += Count::of(&line);
    }
    let status = child.wait().map_err(cannot)?;
    Ok((status.success(), count))
}

/// A stage's command line with its paths, as seen from the workspace's root, where it runs.
fn filled_in(command: &[&str]) -> Result<Vec<String>, String> {
    let root = place::root();
    let from_root = |path: PathBuf| path.strip_prefix(&root).unwrap_or(&path).display().to_string();
    let (zaffre, target) = (from_root(place::zaffre()?), from_root(place::target()?));
    Ok(command.iter().map(|word| word.replace("{zaffre}", &zaffre).replace("{target}", &target)).collect())
}

fn print_times(outcomes: &[Outcome]) {
    println!("\nwhere the time went:");
    let mut total = Duration::ZERO;
    for outcome in outcomes {
        let (took, count) = outcome.ran.as_ref().map_or_else(Default::default, |ran| (ran.took, ran.count));
        total += took;
        let tests = if count == Count::default() { String::new() } else { count.to_string() };
        println!("  {:<7} {:>7.1} s  {:<8}  {tests}", outcome.stage.name, took.as_secs_f64(), outcome.word());
    }
    println!("  {:<7} {:>7.1} s", "all", total.as_secs_f64());
}

/// How many tests passed, failed, and did not run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Count {
    passed: u32,
    pub(crate) failed: u32,
    skipped: u32,
}

impl Count {
    /// What a line of output says about tests: cargo's `test result: ok. 3 passed; 0 failed; 1 ignored; ...`,
    /// or one kind of clients' `python: 3 passed, 0 failed, 1 skipped`. Other lines count nothing.
    fn of(line: &str) -> Count {
        let is_summary = ["test result: ", "python: ", "js: ", "az: "].iter().any(|it| line.starts_with(it));
        let mut count = Count::default();
        if !is_summary {
            return count;
        }
        let words: Vec<&str> = line.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let Ok(number) = pair[0].parse() else { continue };
            match pair[1] {
                "passed" => count.passed = number,
                "failed" => count.failed = number,
                "ignored" | "skipped" => count.skipped = number,
                _ => {}
            }
        }
        count
    }

    /// `steps 12 failed 0`: those that were not taken after a failure are no steps.
    pub(crate) fn as_steps(self) -> String {
        format!("steps {} failed {}", self.passed + self.failed, self.failed)
    }
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::iter::Sum for Count {
    fn sum<I: Iterator<Item = Count>>(all: I) -> Count {
        all.fold(Count::default(), |mut sum, it| {
            sum += it;
            sum
        })
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 { write!(f, ", {} skipped", self.skipped) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_tests_are_counted_and_other_lines_are_not() {
        for (line, passed, failed, skipped) in [
            (
                "test result: ok. 31 passed; 0 failed; 2 ignored; 0 measured; 5 filtered out; finished in 0.01s",
                31,
                0,
                2,
            ),
            ("test result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out", 1, 3, 0),
            ("python: 12 passed, 1 failed", 12, 1, 0),
            ("python: 12 passed, 1 failed, 4 skipped", 12, 1, 4),
            ("az: 160 passed, 0 failed", 160, 0, 0),
            ("  tour: 12 steps, 0 differ", 0, 0, 0),
            ("test a_thing_that_says_2 passed ... ok", 0, 0, 0),
            ("", 0, 0, 0),
        ] {
            assert_eq!(Count::of(line), Count { passed, failed, skipped }, "{line}");
        }
    }

    #[test]
    fn steps_are_what_was_taken() {
        let count = Count { passed: 12, failed: 1, skipped: 4 };
        assert_eq!(count.as_steps(), "steps 13 failed 1");
    }

    #[test]
    fn a_stage_that_is_not_in_the_table_is_refused_by_name() {
        let why = named(&["fmt".to_owned(), "fnt".to_owned()]).err().expect("`fnt` is no stage");
        assert!(why.starts_with("no stage `fnt`; there are: fmt, "), "{why}");
    }

    #[test]
    fn stages_run_in_the_tables_order_whatever_the_order_asked_for() {
        let stages = named(&["python".to_owned(), "fmt".to_owned()]).expect("both are stages");
        let names: Vec<&str> = stages.iter().map(|stage| stage.name).collect();
        assert_eq!(names, ["fmt", "python"]);
    }
}
