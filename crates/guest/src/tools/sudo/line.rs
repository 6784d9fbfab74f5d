//! What was typed behind `sudo` and `su`: their options, as far as they mean something in a guest.
//!
//! Nobody has a password here, so what is about passwords and how long they are remembered is taken and means nothing.

use super::Ask;

/// What a line asks for.
#[derive(Debug)]
pub(super) enum Line {
    Run(Ask),
    /// It is said at once.
    Say(String),
    Nothing,
}

const USAGE: &str =
    "usage: sudo [-u USER] [-i | -s] [-E] [-H] [-n] [NAME=VALUE]... [COMMAND [ARGUMENT]...]\n";
const MAY: &str = "The users of the group sudo may run the following commands on this machine:\n    (ALL : ALL) NOPASSWD: ALL\n";

fn ask(user: &str) -> Ask {
    let cwd = std::env::current_dir().ok().map(|it| it.to_string_lossy().into_owned());
    Ask {
        argv: Vec::new(),
        user: user.to_string(),
        env: terminal(),
        cwd,
        is_login: false,
        only_root_may: false,
        tty: None,
    }
}

/// What is kept of the caller's environment without being asked for.
fn terminal() -> Vec<(String, String)> {
    let kept =
        |(name, _): &(String, String)| matches!(name.as_str(), "TERM" | "COLORTERM" | "LANG" | "LC_ALL");
    own_environment().filter(kept).collect()
}

fn own_environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

pub(super) fn sudo(words: &[String]) -> Result<Line, String> {
    let mut ask = ask("root");
    let (mut wants_shell, mut rest) = (false, words.iter());
    let mut first = None;
    while let Some(word) = rest.next() {
        let mut value =
            |what: &str| rest.next().cloned().ok_or_else(|| format!("{what} needs a value\n{USAGE}"));
        match word.as_str() {
            "--" => break,
            "-u" | "--user" => ask.user = value(word)?,
            // A group, a prompt, a number of seconds: of no consequence here.
            "-g" | "--group" | "-p" | "--prompt" | "-C" | "-T" | "-h" | "--host" => drop(value(word)?),
            "-D" | "--chdir" => ask.cwd = Some(value(word)?),
            "-i" | "--login" => (ask.is_login, wants_shell) = (true, true),
            "-s" | "--shell" => wants_shell = true,
            "-E" | "--preserve-env" => {
                ask.env = own_environment().filter(|(name, _)| !is_users_own(name)).collect()
            }
            "-l" | "--list" => return Ok(Line::Say(MAY.to_string())),
            "-k" | "-K" | "-v" | "--validate" | "--reset-timestamp" | "--remove-timestamp" => {
                if words.len() == 1 {
                    return Ok(Line::Nothing);
                }
            }
            "-V" | "--version" => {
                return Ok(Line::Say("sudo of a guest: it asks the machine's first process\n".into()));
            }
            "--help" => return Ok(Line::Say(USAGE.to_string())),
            "-n" | "-S" | "-H" | "-A" | "-b" | "-P" | "--non-interactive" | "--stdin" | "--set-home" => {}
            word if word.starts_with("--user=") => ask.user = word["--user=".len()..].to_string(),
            word if word.starts_with("--preserve-env=") => {
                let names: Vec<&str> = word["--preserve-env=".len()..].split(',').collect();
                ask.env.extend(own_environment().filter(|(name, _)| names.contains(&name.as_str())));
            }
            // `-nu root`, `-iu root`, `-EH`: letters together.
            word if word.len() > 2 && word.starts_with('-') && !word.starts_with("--") => {
                for letter in word[1..].chars() {
                    match letter {
                        'i' => (ask.is_login, wants_shell) = (true, true),
                        's' => wants_shell = true,
                        'E' => ask.env = own_environment().filter(|(name, _)| !is_users_own(name)).collect(),
                        'u' => ask.user = value("-u")?,
                        'n' | 'S' | 'H' | 'k' => {}
                        other => return Err(format!("invalid option -- '{other}'\n{USAGE}")),
                    }
                }
            }
            word if word.starts_with('-') => return Err(format!("unrecognized option '{word}'\n{USAGE}")),
            word => match word.split_once('=') {
                Some((name, value)) if is_variable(name) => ask.env.push((name.into(), value.into())),
                _ => {
                    first = Some(word.to_string());
                    break;
                }
            },
        }
    }
    ask.argv = first.into_iter().chain(rest.cloned()).collect();
    if ask.argv.is_empty() && !wants_shell {
        return Err(USAGE.trim_end().to_string());
    }
    if wants_shell && !ask.argv.is_empty() {
        // What stands behind -s and -i is read by the shell; as sudo does, every other character is escaped.
        let line: Vec<String> = ask.argv.iter().map(|it| escaped(it)).collect();
        ask.argv = vec!["-c".to_string(), line.join(" ")];
        ask.argv.insert(0, String::new());
    }
    if ask.is_login {
        ask.cwd = None;
    }
    Ok(Line::Run(ask))
}

pub(super) fn su(words: &[String]) -> Result<Line, String> {
    let mut ask = ask("root");
    ask.only_root_may = true;
    let mut rest = words.iter();
    let (mut command, mut is_named) = (None, false);
    let mut behind = Vec::new();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-" | "-l" | "--login" => ask.is_login = true,
            "-c" | "--command" => {
                command = Some(rest.next().ok_or("option requires an argument -- 'c'")?.clone())
            }
            "-s" | "--shell" => drop(rest.next()),
            "-m" | "-p" | "--preserve-environment" => {
                ask.env = own_environment().filter(|(name, _)| !is_users_own(name)).collect();
            }
            "--" => {}
            word if word.starts_with('-') && !is_named => {
                return Err(format!("unrecognized option '{word}'"));
            }
            word if !is_named => (ask.user, is_named) = (word.to_string(), true),
            word => behind.push(word.to_string()),
        }
    }
    if let Some(command) = command {
        ask.argv = vec![String::new(), "-c".to_string(), command];
    } else if !behind.is_empty() {
        ask.argv = std::iter::once(String::new()).chain(behind).collect();
    }
    if ask.is_login {
        ask.cwd = None;
    }
    Ok(Line::Run(ask))
}

/// What says who somebody is, and is the new user's.
fn is_users_own(name: &str) -> bool {
    matches!(name, "HOME" | "USER" | "LOGNAME" | "SHELL" | "MAIL" | "PATH" | "PWD" | "OLDPWD")
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|it: char| it.is_ascii_digit())
        && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
}

fn escaped(word: &str) -> String {
    let is_plain = |it: char| it.is_alphanumeric() || matches!(it, '_' | '-' | '$');
    word.chars().flat_map(|it| (!is_plain(it)).then_some('\\').into_iter().chain([it])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, of: fn(&[String]) -> Result<Line, String>) -> Option<(String, String, bool)> {
        let words: Vec<String> = line.split(' ').filter(|it| !it.is_empty()).map(str::to_string).collect();
        match of(&words) {
            Ok(Line::Run(ask)) => Some((ask.user, ask.argv.join(" "), ask.is_login)),
            _ => None,
        }
    }

    #[test]
    fn a_line_is_read_as_sudo_reads_it() {
        for (line, expected) in [
            ("id -u", Some(("root", "id -u", false))),
            ("-u grace id", Some(("grace", "id", false))),
            ("--user=grace -n -- -odd", Some(("grace", "-odd", false))),
            ("A=b -E C=d env", Some(("root", "env", false))),
            ("-i", Some(("root", "", true))),
            ("-s", Some(("root", "", false))),
            ("-iu grace", Some(("grace", "", true))),
            ("-i echo $HOME a;b", Some(("root", " -c echo $HOME a\\;b", true))),
            ("-H -S pip install x=y", Some(("root", "pip install x=y", false))),
            ("", None),
            ("-u", None),
            ("-Z id", None),
            ("-l", None),
        ] {
            let expected = expected.map(|(user, argv, login)| (user.to_string(), argv.to_string(), login));
            assert_eq!(read(line, sudo), expected, "sudo {line}");
        }
    }

    #[test]
    fn a_line_is_read_as_su_reads_it() {
        for (line, expected) in [
            ("", Some(("root", "", false))),
            ("-", Some(("root", "", true))),
            ("- grace", Some(("grace", "", true))),
            ("grace -c id", Some(("grace", " -c id", false))),
            ("-x", None),
            ("-c", None),
        ] {
            let expected = expected.map(|(user, argv, login)| (user.to_string(), argv.to_string(), login));
            assert_eq!(read(line, su), expected, "su {line}");
        }
    }

    #[test]
    fn names_before_the_command_are_its_variables() {
        let words = ["A=b", "printenv", "C=d"].map(str::to_string);
        let Ok(Line::Run(ask)) = sudo(&words) else { panic!("it runs something") };
        assert!(ask.env.contains(&("A".to_string(), "b".to_string())));
        assert_eq!(ask.argv, ["printenv", "C=d"]);
    }
}
