//! Where no machine gets to, whatever its rules let out: a table of ranges and one of ports, each row with its reason. Pure.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddrV4},
};

use azure::cidr::Cidr;

use crate::env::Egress;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Transport {
    Tcp,
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        })
    }
}

/// A range, whether `--egress=all` opens it, and why it is shut.
type Wall = (&'static str, bool, &'static str);

const NEVER: bool = false;
const IF_ASKED: bool = true;

static WALLS: &[Wall] = &[
    (
        "0.0.0.0/8",
        NEVER,
        "this is no address of anybody (RFC 1122 §3.2.1.3), and this host takes it for itself",
    ),
    ("127.0.0.0/8", NEVER, "this is the host's own loopback, where the cloud and other programs listen"),
    (
        "169.254.0.0/16",
        NEVER,
        "the host's own neighbours are here (RFC 3927), and a real cloud's metadata service",
    ),
    ("168.63.129.16/32", NEVER, "a real Azure answers machines here"),
    ("100.100.100.200/32", NEVER, "another cloud's metadata service is here"),
    (
        "192.0.0.0/24",
        NEVER,
        "these are for protocols, not for hosts (RFC 6890), and a cloud's metadata service is among them",
    ),
    ("224.0.0.0/4", NEVER, "nobody's own address: multicast (RFC 5771)"),
    ("240.0.0.0/4", NEVER, "nobody's own address: reserved, and broadcast (RFC 1112 §4, RFC 919)"),
    ("10.0.0.0/8", IF_ASKED, PRIVATE),
    ("172.16.0.0/12", IF_ASKED, PRIVATE),
    ("192.168.0.0/16", IF_ASKED, PRIVATE),
    (
        "100.64.0.0/10",
        IF_ASKED,
        "a network of the host's provider, or one that joins its user's machines (RFC 6598); `--egress=all` opens it",
    ),
    ("::/128", NEVER, "this is no address of anybody"),
    ("::1/128", NEVER, "this is the host's own loopback"),
    ("64:ff9b::/96", NEVER, "this leads to addresses of version 4 around their walls (RFC 6052)"),
    ("fe80::/10", NEVER, "the host's own neighbours are here (RFC 4291 §2.5.6)"),
    ("ff00::/8", NEVER, "nobody's own address: multicast"),
    ("fc00::/7", IF_ASKED, PRIVATE),
];
const PRIVATE: &str =
    "a private network, which here would be one that this host is in; `--egress=all` opens it";

/// A port, and why it is shut: for TCP, for datagrams, or for both.
type Shut = (u16, &'static [Transport], &'static str);

static PORTS: &[Shut] = &[
    (
        25,
        &[Transport::Tcp],
        "Azure lets no machine send mail by itself (troubleshoot-outbound-smtp-connectivity)",
    ),
    (
        53,
        &[Transport::Tcp, Transport::Udp],
        "names are asked for at 168.63.129.16, which keeps Microsoft's from leaving",
    ),
    (
        853,
        &[Transport::Tcp, Transport::Udp],
        "names are asked for at 168.63.129.16, which keeps Microsoft's from leaving",
    ),
    (443, &[Transport::Udp], "QUIC hides whom it is for; clients go on by TCP"),
];

/// Where nobody gets to, with the reason.
pub(super) fn judge(
    transport: Transport,
    to: SocketAddrV4,
    egress: Egress,
    owns: impl FnOnce(Ipv4Addr) -> bool,
) -> Result<(), &'static str> {
    if let Some(reason) = wall(IpAddr::V4(*to.ip()), egress) {
        return Err(reason);
    }
    if let Some((_, _, reason)) =
        PORTS.iter().find(|(port, of, _)| *port == to.port() && of.contains(&transport))
    {
        return Err(reason);
    }
    match owns(*to.ip()) {
        true => Err("this is the host itself, where the cloud and other programs listen"),
        false => Ok(()),
    }
}

/// The wall around an address, if there is one.
pub(super) fn wall(address: IpAddr, egress: Egress) -> Option<&'static str> {
    let address = address.to_canonical();
    let is_shut = |opens: bool| match egress {
        Egress::Off => true,
        Egress::Internet => true,
        Egress::All => !opens,
    };
    let holds = |range: &str| range.parse::<Cidr>().is_ok_and(|it| it.holds_address(address));
    let around = WALLS.iter().find(|(range, opens, _)| is_shut(*opens) && holds(range));
    around.map(|(_, _, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wall_is_a_range_and_holds_its_ends() {
        for (range, opens, reason) in WALLS {
            let range: Cidr = range.parse().expect("a range");
            for offset in [0, range.last_offset()] {
                let address = range.at(offset).expect("an address");
                assert!(wall(address, Egress::Internet).is_some(), "{address}: {reason}");
                // A wall that opens may have one within that does not.
                assert!(*opens || wall(address, Egress::All).is_some(), "{address}: {reason}");
            }
        }
    }

    #[test]
    fn the_host_its_neighbours_and_real_clouds_are_out_of_reach() {
        use Transport::{Tcp, Udp};
        // Whether it is reached from `--egress`, and from `--egress=all`.
        for (transport, to, internet, all) in [
            (Tcp, "198.51.100.7:443", true, true),
            (Tcp, "8.8.8.8:80", true, true),
            (Udp, "198.51.100.7:123", true, true),
            (Tcp, "127.0.0.1:10080", false, false),
            (Tcp, "127.77.0.4:22", false, false),
            (Tcp, "0.0.0.0:80", false, false),
            (Tcp, "0.1.2.3:80", false, false),
            (Tcp, "169.254.169.254:80", false, false),
            (Tcp, "168.63.129.16:80", false, false),
            (Tcp, "168.63.129.17:80", true, true),
            (Tcp, "100.100.100.200:80", false, false),
            (Tcp, "192.0.0.192:80", false, false),
            (Udp, "224.0.0.251:5353", false, false),
            (Udp, "255.255.255.255:67", false, false),
            (Tcp, "10.0.0.1:80", false, true),
            (Tcp, "172.31.255.255:80", false, true),
            (Tcp, "172.32.0.0:80", true, true),
            (Tcp, "192.168.1.1:80", false, true),
            (Tcp, "100.127.0.1:80", false, true),
            (Tcp, "100.128.0.1:80", true, true),
            (Tcp, "192.0.2.5:80", false, false),
            (Tcp, "10.9.9.9:80", false, false),
            (Tcp, "198.51.100.7:25", false, false),
            (Udp, "198.51.100.7:25", true, true),
            (Udp, "198.51.100.7:53", false, false),
            (Tcp, "198.51.100.7:53", false, false),
            (Tcp, "198.51.100.7:853", false, false),
            (Udp, "198.51.100.7:443", false, false),
        ] {
            let to: SocketAddrV4 = to.parse().expect("an address");
            let own = ["192.0.2.5", "10.9.9.9"];
            for (egress, is_reached) in
                [(Egress::Off, false), (Egress::Internet, internet), (Egress::All, all)]
            {
                let judged = judge(transport, to, egress, |it| own.contains(&it.to_string().as_str()));
                let expected = is_reached || egress == Egress::Off && internet;
                assert_eq!(judged.is_ok(), expected, "{transport} {to} {egress:?}: {judged:?}");
            }
        }
    }

    #[test]
    fn an_address_in_disguise_is_known() {
        for address in
            ["::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "fd00:ec2::254", "fe80::1"]
        {
            assert!(wall(address.parse().expect("an address"), Egress::Internet).is_some(), "{address}");
        }
    }
}
