//! Signals by the names that the protocol has for them (RFC 4254 §6.10) and the numbers of Linux.

use russh::Sig;

/// The number of what a client sent; none where it has none here.
pub(crate) fn number(signal: &Sig) -> Option<i32> {
    Some(match signal {
        Sig::HUP => 1,
        Sig::INT => 2,
        Sig::QUIT => 3,
        Sig::ILL => 4,
        Sig::ABRT => 6,
        Sig::FPE => 8,
        Sig::KILL => 9,
        Sig::USR1 => 10,
        Sig::SEGV => 11,
        // The library has no word of its own for this one, which the RFC names too.
        Sig::Custom(name) if name == "USR2" => 12,
        Sig::PIPE => 13,
        Sig::ALRM => 14,
        Sig::TERM => 15,
        Sig::Custom(_) => return None,
    })
}

/// The name of what ended a process. Those that the protocol does not name carry a domain, as it wants.
pub(crate) fn named(number: i32) -> Sig {
    match number {
        1 => Sig::HUP,
        2 => Sig::INT,
        3 => Sig::QUIT,
        4 => Sig::ILL,
        6 => Sig::ABRT,
        8 => Sig::FPE,
        9 => Sig::KILL,
        10 => Sig::USR1,
        11 => Sig::SEGV,
        12 => Sig::Custom("USR2".to_owned()),
        13 => Sig::PIPE,
        14 => Sig::ALRM,
        15 => Sig::TERM,
        other => Sig::Custom(format!("SIG{other}@linux")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_comes_back_by_its_name() {
        let named_ones: Vec<i32> = (1..=31).filter(|it| number(&named(*it)) == Some(*it)).collect();
        assert_eq!(named_ones, [1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 13, 14, 15]);
    }
}
