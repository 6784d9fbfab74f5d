//! The user's own shell with its own settings, and before its prompt a word that says where it is.
//!
//! Each shell reads the user's settings first, from where it always does, and ours after them. Prompts that are made anew for every line
//! (starship, powerlevel10k) get the word anew too. ZAFFRE_SHELL is set for those who would rather say it their own way.

use std::{ffi::OsString, path::Path};

use guest::shell::File;

use super::host_files::file;

/// How the shell is started.
pub(super) struct Opened {
    pub(super) argv: Vec<OsString>,
    pub(super) env: Vec<(&'static str, String)>,
    pub(super) files: Vec<File>,
}

pub(super) fn shell(folder: &Path, whom: Option<&str>) -> Opened {
    let program = std::env::var_os("SHELL").filter(|it| !it.is_empty()).unwrap_or_else(|| "/bin/sh".into());
    of(program, folder, &word(whom))
}

/// `(zaffre)`, or `(zaffre myVM)`; nothing in it is special to any shell.
fn word(whom: Option<&str>) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || "-._@".contains(*c);
    match whom.and_then(|it| it.rsplit('/').next()) {
        Some(whom) => format!("(zaffre {})", whom.chars().filter(plain).collect::<String>()),
        None => "(zaffre)".to_owned(),
    }
}

fn of(program: OsString, folder: &Path, word: &str) -> Opened {
    let name = Path::new(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let at = |name: &str| folder.join(name).into_os_string();
    let opened = |words: Vec<OsString>, env, files| Opened {
        argv: std::iter::once(program.clone()).chain(words).collect(),
        env,
        files,
    };
    match name.as_str() {
        "bash" => opened(vec!["--rcfile".into(), at("bashrc")], vec![], vec![file("bashrc", bash(word))]),
        "zsh" => {
            let own = std::env::var("ZDOTDIR").or_else(|_| std::env::var("HOME")).unwrap_or_default();
            let env = vec![("ZDOTDIR", folder.join("zsh").display().to_string()), ("ZAFFRE_ZDOTDIR", own)];
            opened(vec![], env, vec![file("zsh/.zshenv", ZSHENV.to_owned()), file("zsh/.zshrc", zsh(word))])
        }
        "fish" => opened(
            vec!["--init-command".into(), format!("source {}", folder.join("prompt.fish").display()).into()],
            vec![],
            vec![file("prompt.fish", fish(word))],
        ),
        _ => opened(vec![], vec![("PS1", format!("{word} $ "))], vec![]),
    }
}

fn bash(word: &str) -> String {
    format!(
        r#"[ -r ~/.bashrc ] && . ~/.bashrc
__zaffre_prompt() {{
    case $PS1 in
    *'{word}'*) ;;
    *) PS1='{word} '"$PS1" ;;
    esac
}}
case $(declare -p PROMPT_COMMAND 2>/dev/null) in
"declare -a"*) PROMPT_COMMAND+=(__zaffre_prompt) ;;
*) PROMPT_COMMAND="${{PROMPT_COMMAND:+$PROMPT_COMMAND
}}__zaffre_prompt" ;;
esac
"#
    )
}

/// zsh looks for each of its files where ZDOTDIR says at that moment: the user's `.zshenv` is read with the user's, and `.zshrc` is ours again.
const ZSHENV: &str = r#"__zaffre_zdotdir=$ZDOTDIR
ZDOTDIR=$ZAFFRE_ZDOTDIR
[[ -r $ZDOTDIR/.zshenv ]] && source "$ZDOTDIR/.zshenv"
ZAFFRE_ZDOTDIR=$ZDOTDIR
ZDOTDIR=$__zaffre_zdotdir
unset __zaffre_zdotdir
"#;

fn zsh(word: &str) -> String {
    format!(
        r#"ZDOTDIR=$ZAFFRE_ZDOTDIR
unset ZAFFRE_ZDOTDIR
[[ $ZDOTDIR == $HOME ]] && unset ZDOTDIR
[[ -r ${{ZDOTDIR:-$HOME}}/.zshrc ]] && source "${{ZDOTDIR:-$HOME}}/.zshrc"
__zaffre_prompt() {{
    [[ $PROMPT == *'{word}'* ]] || PROMPT='{word} '"$PROMPT"
}}
precmd_functions+=(__zaffre_prompt)
"#
    )
}

fn fish(word: &str) -> String {
    format!(
        r#"functions --query fish_prompt; and functions --copy fish_prompt __zaffre_own_prompt
function fish_prompt
    echo -n '{word} '
    functions --query __zaffre_own_prompt; and __zaffre_own_prompt
end
"#
    )
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_word_holds_nothing_that_is_special_to_a_shell() {
        assert_eq!(word(None), "(zaffre)");
        assert_eq!(word(Some("grace@contoso.onmicrosoft.com")), "(zaffre grace@contoso.onmicrosoft.com)");
        assert_eq!(word(Some("/subscriptions/s/virtualMachines/my'VM$(x)")), "(zaffre myVMx)");
    }

    #[test]
    fn a_shell_that_is_not_known_has_a_prompt_by_its_variable() {
        let opened = of("/bin/dash".into(), Path::new("/f"), "(zaffre)");
        assert_eq!(opened.argv, [OsString::from("/bin/dash")]);
        assert_eq!(opened.env, [("PS1", "(zaffre) $ ".to_owned())]);
    }

    /// bash itself, with settings of a user's own, some of which make the prompt anew each time.
    #[test]
    fn bash_keeps_its_users_settings_and_says_where_it_is() {
        for own in [
            "PS1='mine> '",
            "PROMPT_COMMAND=make; make() { PS1='mine> '; }",
            "PROMPT_COMMAND=(make); make() { PS1='mine> '; }",
        ] {
            let home = tempfile::tempdir().expect("a folder");
            std::fs::write(home.path().join(".bashrc"), format!("{own}\nMINE=kept\n")).expect("writes");
            std::fs::write(home.path().join("bashrc"), bash("(zaffre)")).expect("writes");
            let mut child = Command::new("bash")
                .args(["--rcfile".as_ref(), home.path().join("bashrc").as_os_str(), "-i".as_ref()])
                .env("HOME", home.path())
                .env_remove("PROMPT_COMMAND")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("bash is here");
            let mut stdin = child.stdin.take().expect("a pipe");
            std::io::Write::write_all(&mut stdin, b"echo $MINE\n").expect("writes");
            drop(stdin);
            let done = child.wait_with_output().expect("ends");
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            assert_eq!(String::from_utf8_lossy(&done.stdout), "kept\n", "{said}");
            assert_eq!(said.matches("(zaffre) mine> ").count(), 2, "{own}: {said}");
        }
    }
}
