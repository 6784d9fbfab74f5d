//! `cargo xtask campaign NAME`: the tests that can go on for as long as one likes, for longer than with all others.
//!
//! Each is a test of the Rust stage with a number in its environment. Its last line is its result.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::place;

struct Campaign {
    name: &'static str,
    says: &'static str,
    /// The test, and where cargo finds it.
    test: &'static [&'static str],
    /// The option that says how much, the variable it becomes, and what it is without.
    amount: Amount,
}

struct Amount {
    option: &'static str,
    variable: &'static str,
    default: u64,
}

/// What makes every campaign repeatable: each prints the seed it ran with.
const SEED: (&str, &str) = ("--seed", "ZAFFRE_CAMPAIGN_SEED");

const CAMPAIGNS: &[Campaign] = &[
    Campaign {
        name: "crash",
        says: "kill a process that writes, at any moment, and look for what it said was written",
        test: &["--test", "main", "faults::crash::what_was_acknowledged_survives_being_killed_at_any_moment"],
        amount: Amount { option: "--rounds", variable: "ZAFFRE_CAMPAIGN_ROUNDS", default: 10_000 },
    },
    Campaign {
        name: "power-loss",
        says: "replay what a process wrote without what it had not flushed, at any moment",
        test: &[
            "--test",
            "main",
            "faults::power::what_was_acknowledged_survives_the_loss_of_power_at_any_moment",
        ],
        amount: Amount { option: "--cuts", variable: "ZAFFRE_CAMPAIGN_CUTS", default: 1_000 },
    },
    Campaign {
        name: "model",
        says: "compare the store with a model over random histories",
        test: &["--lib", "store::tests::histories::histories_on_disk_are_those_of_the_model"],
        amount: Amount { option: "--steps", variable: "ZAFFRE_CAMPAIGN_STEPS", default: 10_000_000 },
    },
    Campaign {
        name: "postgres-histories",
        says: "two processes on one database over connections that are cut and held up: is it serializable",
        test: &[
            "--lib",
            "store::tests::postgres::histories::histories_over_broken_connections_are_serializable",
        ],
        amount: Amount { option: "--operations", variable: "ZAFFRE_CAMPAIGN_OPERATIONS", default: 100_000 },
    },
    Campaign {
        name: "rbac-oracle",
        says: "hold the evaluator of roles against a naive one over random policies and requests, Azure's and Cosmos DB's",
        test: &["--test", "main", "oracle::both_evaluators_agree_and_listening_changes_nothing"],
        amount: Amount { option: "--cases", variable: "ZAFFRE_CAMPAIGN_CASES", default: 1_000_000 },
    },
    Campaign {
        name: "guests",
        says: "make machines and kill their program at any moment: is anything left of them",
        test: &[
            "--test",
            "main",
            "machines::leaks::nothing_is_left_of_machines_whose_program_is_killed_at_any_moment",
        ],
        amount: Amount { option: "--rounds", variable: "ZAFFRE_CAMPAIGN_ROUNDS", default: 200 },
    },
    Campaign {
        name: "attack",
        says: "attack a furnished cloud in every way that has a row; fewer rows than N are a failure too",
        test: &["--test", "main", "attacks::every_attack_is_refused_in_azures_words"],
        amount: Amount { option: "--attacks", variable: "ZAFFRE_CAMPAIGN_ATTACKS", default: 850 },
    },
];

pub(crate) fn run(words: &[String]) -> Result<(), String> {
    let (name, options) = words.split_first().ok_or_else(usage)?;
    let campaign = CAMPAIGNS.iter().find(|it| it.name == name).ok_or_else(usage)?;
    let variables = variables(campaign, options)?;
    let mut command = Command::new(place::cargo());
    command
        .current_dir(place::root())
        // Of the whole workspace, as `cargo xtask test` builds it: alone, a package's dependencies would have other
        // features, and be built once more.
        .args(["test", "--quiet", "--release", "--locked", "--workspace"])
        .args(campaign.test)
        .args(["--", "--exact", "--nocapture"])
        .envs(variables)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let result = follow(command, campaign.amount.option.trim_start_matches('-'))?;
    println!("{result}");
    Ok(())
}

/// Passes on what the test prints; gives the last line that is a result.
fn follow(mut command: Command, first_word: &str) -> Result<String, String> {
    let cannot = |why| format!("cannot run cargo: {why}");
    let mut child = command.spawn().map_err(cannot)?;
    let stdout = child.stdout.take().expect("the output was asked for");
    let mut result = None;
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(cannot)?;
        println!("{line}");
        if line.split(' ').next() == Some(first_word) {
            result = Some(line);
        }
    }
    let is_good = child.wait().map_err(cannot)?.success();
    let result = result.ok_or("it ended without a result, see above")?;
    if is_good { Ok(result) } else { Err(format!("not good: {result}")) }
}

/// The environment that the options stand for.
fn variables(campaign: &Campaign, options: &[String]) -> Result<Vec<(&'static str, String)>, String> {
    let amount = &campaign.amount;
    let mut variables = vec![(amount.variable, amount.default.to_string())];
    for pair in options.chunks(2) {
        let known = [(amount.option, amount.variable), SEED];
        let variable = known.iter().find(|(option, _)| *option == pair[0]).map(|(_, variable)| *variable);
        let number = pair.get(1).filter(|number| number.parse::<u64>().is_ok());
        match (variable, number) {
            (Some(variable), Some(number)) => variables.push((variable, number.clone())),
            _ => {
                return Err(format!(
                    "`campaign {}` takes {} N and {} N",
                    campaign.name, amount.option, SEED.0
                ));
            }
        }
    }
    Ok(variables)
}

fn usage() -> String {
    let rows = CAMPAIGNS.iter().map(|it| {
        let call = format!("{} {} N", it.name, it.amount.option);
        format!("\n  cargo xtask campaign {call:<20}  {} (without, N is {})", it.says, it.amount.default)
    });
    format!("name one:{}", rows.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> Result<Vec<(&'static str, String)>, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        variables(&CAMPAIGNS[0], &words)
    }

    #[test]
    fn options_become_the_tests_environment() {
        let last = |words: &[&str]| options(words).expect("are known").pop().expect("there is a default");
        assert_eq!(last(&[]), ("ZAFFRE_CAMPAIGN_ROUNDS", "10000".to_owned()));
        assert_eq!(last(&["--rounds", "7"]), ("ZAFFRE_CAMPAIGN_ROUNDS", "7".to_owned()));
        assert_eq!(last(&["--rounds", "7", "--seed", "3"]), ("ZAFFRE_CAMPAIGN_SEED", "3".to_owned()));
    }

    #[test]
    fn what_is_not_an_option_is_refused_with_those_there_are() {
        for words in [&["--cuts", "7"][..], &["--rounds"], &["--rounds", "many"]] {
            assert!(options(words).expect_err("is refused").contains("--rounds N"), "{words:?}");
        }
        assert!(run(&["crush".to_owned()]).expect_err("is refused").contains("campaign power-loss"));
    }
}
