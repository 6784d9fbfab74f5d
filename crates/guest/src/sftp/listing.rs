//! A file in one line, as `ls -l` writes it: the third version of the protocol sends such a line along with each name, and clients
//! print it as it comes.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Who the guest's users and groups are, by number; read once.
#[derive(Default)]
pub(super) struct Names {
    users: Option<HashMap<u32, String>>,
    groups: Option<HashMap<u32, String>>,
}

impl Names {
    /// The line of a file called `name`, which need not be text.
    pub(super) fn line(&mut self, name: &[u8], file: &Metadata) -> Vec<u8> {
        let users = self.users.get_or_insert_with(|| numbered("/etc/passwd"));
        let user = named(users, file.uid());
        let groups = self.groups.get_or_insert_with(|| numbered("/etc/group"));
        let group = named(groups, file.gid());
        let (mode, links, size) = (mode(file.mode()), file.nlink(), file.len());
        let mut line =
            format!("{mode} {links:>4} {user:<8} {group:<8} {size:>8} {} ", date(file.mtime())).into_bytes();
        line.extend(name);
        line
    }
}

/// Both files have the name first and the number third.
fn numbered(path: &str) -> HashMap<u32, String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let entry = |line: &str| {
        let mut fields = line.split(':');
        Some((fields.clone().nth(2)?.parse().ok()?, fields.next()?.to_owned()))
    };
    text.lines().filter_map(entry).collect()
}

fn named(names: &HashMap<u32, String>, number: u32) -> String {
    names.get(&number).cloned().unwrap_or_else(|| number.to_string())
}

fn mode(mode: u32) -> String {
    let kind = match mode & libc::S_IFMT {
        libc::S_IFDIR => 'd',
        libc::S_IFLNK => 'l',
        libc::S_IFCHR => 'c',
        libc::S_IFBLK => 'b',
        libc::S_IFIFO => 'p',
        libc::S_IFSOCK => 's',
        _ => '-',
    };
    let mut text: Vec<char> = "rwxrwxrwx".chars().collect();
    for (at, letter) in text.iter_mut().enumerate() {
        if mode & (0o400 >> at) == 0 {
            *letter = '-';
        }
    }
    for (bit, at, letter) in [(libc::S_ISUID, 2, 's'), (libc::S_ISGID, 5, 's'), (libc::S_ISVTX, 8, 't')] {
        if mode & bit != 0 {
            text[at] = if text[at] == 'x' { letter } else { letter.to_ascii_uppercase() };
        }
    }
    std::iter::once(kind).chain(text).collect()
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Nov 22 08:40`, in UTC, which is a guest's time. The year is left out, as no clock is asked how long ago that was.
fn date(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days: years begin in March.
    let day_of_era = (days + 719_468).rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = MONTHS[((month_from_march + 2) % 12) as usize];
    format!("{month} {day:>2} {:02}:{:02}", second / 3600, second / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_written_as_ls_writes_them() {
        for (bits, text) in [
            (0o100644, "-rw-r--r--"),
            (0o040755, "drwxr-xr-x"),
            (0o120777, "lrwxrwxrwx"),
            (0o104755, "-rwsr-xr-x"),
            (0o041777, "drwxrwxrwt"),
            (0o102644, "-rw-r-Sr--"),
        ] {
            assert_eq!(mode(bits), text);
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "Jan  1 00:00"),
            (951_782_400, "Feb 29 00:00"),
            (951_868_799, "Feb 29 23:59"),
            (951_868_800, "Mar  1 00:00"),
            (1_763_800_245, "Nov 22 08:30"),
            (-1, "Dec 31 23:59"),
        ] {
            assert_eq!(date(seconds), text, "{seconds}");
        }
    }
}
