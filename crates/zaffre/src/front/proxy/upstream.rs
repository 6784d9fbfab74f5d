//! The proxy that this host itself needs for other hosts than Azure's.
//!
//! It is named by `--upstream-proxy`, else taken over from the variables of `zaffre up`'s own environment, as curl reads them:
//! the lower-case name first, `ALL_PROXY` last, and NO_PROXY for whom to reach without. What `zaffre env` has set there is no
//! proxy of the host's but a cloud's, and is left out. Hosts of this machine are reached without, whatever is set.

use std::{fmt, net::IpAddr};

use azure::text;
use http::{HeaderValue, Uri};

use super::super::route;

/// What `zaffre env` sets, so that its proxy is known again.
pub(crate) const MARK: &str = "ZAFFRE_PROXY";
/// What a URL without a port means, as its scheme does elsewhere.
const PORT: u16 = 80;

/// What leads to other hosts. The default: nothing does, they are called directly.
#[derive(Clone, Debug, Default)]
pub struct Upstreams {
    /// For what is carried by CONNECT.
    tunnels: Option<Upstream>,
    /// For what is asked in the open.
    plain: Option<Upstream>,
    /// Who is called directly all the same.
    direct: Vec<Direct>,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Upstream {
    pub(super) host: String,
    pub(super) port: u16,
    /// `Proxy-Authorization`.
    pub(super) credentials: Option<HeaderValue>,
}

/// One entry of NO_PROXY.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Direct {
    All,
    /// The name, and those under it; at one port, or at all.
    Name(String, Option<u16>),
    /// Addresses that begin with so many of these bits.
    Network(IpAddr, u32),
}

/// What a request is, for the choice of its proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tunnel,
    Plain,
}

impl Upstreams {
    /// What was wished for on the command line, or what the environment says. Gives words about what it cannot use.
    pub fn read(
        wish: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<(Upstreams, Vec<String>), String> {
        let set = |names: &[&str]| names.iter().find_map(|name| variable(name).filter(|it| !it.is_empty()));
        let direct = set(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
        let direct = direct.split([',', ' ']).filter_map(Direct::read).collect();
        let of = |tunnels, plain| Upstreams { tunnels, plain, direct };
        match wish {
            Some("off") => Ok((Upstreams::default(), Vec::new())),
            Some(url) => {
                let upstream = Upstream::read(url).map_err(|why| format!("`--upstream-proxy`: {why}"))?;
                Ok((of(Some(upstream.clone()), Some(upstream)), Vec::new()))
            }
            None => {
                let mut warnings = Vec::new();
                let mut taken = |names: &[&str]| {
                    let url = set(names).filter(|url| variable(MARK).as_ref() != Some(url))?;
                    Upstream::read(&url)
                        .map_err(|why| warnings.push(format!("the proxy in {} is left out: {why}", names[1])))
                        .ok()
                };
                let tunnels = taken(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]);
                let plain = taken(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]);
                Ok((of(tunnels, plain), warnings))
            }
        }
    }

    /// The proxy that leads to a host; none where it is called directly.
    pub(super) fn to(&self, host: &str, port: u16, kind: Kind) -> Option<&Upstream> {
        let upstream = match kind {
            Kind::Tunnel => self.tunnels.as_ref(),
            Kind::Plain => self.plain.as_ref(),
        };
        upstream.filter(|_| !is_this_machine(host) && !self.direct.iter().any(|it| it.takes(host, port)))
    }

    /// Where they are, for people: without what they are told in secret.
    pub fn shown(&self) -> Option<String> {
        let one = |it: &Upstream| format!("{}:{}", it.host, it.port);
        match (&self.tunnels, &self.plain) {
            (Some(tunnels), Some(plain)) if tunnels != plain => {
                Some(format!("{} for CONNECT, {} for http://", one(tunnels), one(plain)))
            }
            (Some(only), _) => Some(one(only)),
            (None, Some(plain)) => Some(format!("{} for http://", one(plain))),
            (None, None) => None,
        }
    }

    /// Whether one of them is a place on this machine, at one of these ports.
    pub fn is_at(&self, ports: &[u16]) -> bool {
        [&self.tunnels, &self.plain]
            .into_iter()
            .flatten()
            .any(|it| ports.iter().any(|port| it.is_here(*port)))
    }
}

/// Entries of somebody's NO_PROXY that keep clients from asking this cloud.
pub(crate) fn withheld(no_proxy: &str) -> Vec<String> {
    let hosts = route::samples();
    let keeps = |entry: &&str| {
        Direct::read(entry)
            .is_some_and(|it| hosts.iter().any(|host| it.takes(host, 443) || it.takes(host, 80)))
    };
    no_proxy.split([',', ' ']).filter(keeps).map(|it| it.trim().to_owned()).collect()
}

impl Upstream {
    /// `http://[NAME[:PASSWORD]@]HOST[:PORT]`, or the same without its scheme. A refusal does not repeat the password.
    fn read(url: &str) -> Result<Upstream, String> {
        let url = url.trim().trim_end_matches('/');
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(format!("`{scheme}://` is not spoken to a proxy, only `http://`"));
        }
        let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
        let uri: Uri =
            format!("http://{place}/").parse().map_err(|_| format!("`{place}` is no host and port"))?;
        let host = uri.host().unwrap_or_default();
        let port = place.strip_prefix(host).is_some_and(str::is_empty).then_some(PORT).or(uri.port_u16());
        let (false, Some(port)) = (host.is_empty(), port) else {
            return Err(format!("`{place}` is no host and port"));
        };
        Ok(Upstream {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
            credentials: user.map(credentials).transpose()?,
        })
    }

    /// Whether this is a port of this machine's loopback.
    pub(super) fn is_here(&self, port: u16) -> bool {
        self.port == port && is_this_machine(&self.host)
    }
}

fn credentials(user: &str) -> Result<HeaderValue, String> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let decoded = |part: &str| text::percent_decode(part).ok_or("the name or the password is no UTF-8");
    let pair = format!("{}:{}", decoded(name)?, decoded(password)?);
    let mut value = HeaderValue::from_str(&format!("Basic {}", text::base64(pair.as_bytes())))
        .map_err(|_| "the name or the password is no text")?;
    value.set_sensitive(true);
    Ok(value)
}

/// No password.
impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({}:{})", self.host, self.port)
    }
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|it| it.to_canonical().is_loopback())
}

impl Direct {
    fn read(entry: &str) -> Option<Direct> {
        let entry = entry.trim().to_ascii_lowercase();
        if entry.is_empty() {
            return None;
        }
        if entry == "*" {
            return Some(Direct::All);
        }
        let (address, bits) = entry.split_once('/').map_or((&*entry, None), |(it, bits)| (it, Some(bits)));
        if let Ok(address) = address.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            let all = if address.is_ipv4() { 32 } else { 128 };
            return Some(Direct::Network(address, bits.and_then(|it| it.parse().ok()).unwrap_or(all)));
        }
        let (name, port) = match entry.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().ok()?)),
            None => (&*entry, None),
        };
        Some(Direct::Name(name.trim_start_matches("*.").trim_matches('.').to_owned(), port))
    }

    fn takes(&self, host: &str, port: u16) -> bool {
        match self {
            Direct::All => true,
            Direct::Name(name, at) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                let is_under = host.strip_suffix(name).is_some_and(|it| it.is_empty() || it.ends_with('.'));
                is_under && at.is_none_or(|it| it == port)
            }
            Direct::Network(network, bits) => {
                host.parse::<IpAddr>().is_ok_and(|it| shares_bits(*network, it.to_canonical(), *bits))
            }
        }
    }
}

fn shares_bits(one: IpAddr, other: IpAddr, bits: u32) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            (one.to_bits() ^ other.to_bits()).leading_zeros() >= bits.min(32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            (one.to_bits() ^ other.to_bits()).leading_zeros() >= bits.min(128)
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(wish: Option<&str>, variables: &[(&str, &str)]) -> (Upstreams, Vec<String>) {
        let find =
            |name: &str| variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned());
        Upstreams::read(wish, find).expect("reads")
    }

    #[test]
    fn a_url_names_a_host_a_port_and_who_one_is() {
        for (url, expected) in [
            ("http://proxy.corp:3128", Ok(("proxy.corp", 3128, None))),
            ("proxy.corp:3128", Ok(("proxy.corp", 3128, None))),
            ("http://proxy.corp/", Ok(("proxy.corp", 80, None))),
            ("http://[::1]:3128", Ok(("::1", 3128, None))),
            ("http://ada:s%40cret@proxy.corp:1", Ok(("proxy.corp", 1, Some("ada:s@cret")))),
            ("http://ada@proxy.corp:1", Ok(("proxy.corp", 1, Some("ada:")))),
            ("socks5://proxy.corp:1080", Err("`socks5://` is not spoken")),
            ("https://proxy.corp:1080", Err("`https://` is not spoken")),
            ("http://a:s3cret@proxy.corp:99999", Err("`proxy.corp:99999` is no host and port")),
            ("http://", Err("is no host and port")),
        ] {
            match (Upstream::read(url), expected) {
                (Ok(upstream), Ok((host, port, user))) => {
                    let basic = user.map(|it: &str| format!("Basic {}", text::base64(it.as_bytes())));
                    let credentials = upstream.credentials.as_ref().map(|it| it.to_str().expect("text"));
                    assert_eq!((&*upstream.host, upstream.port, credentials), (host, port, basic.as_deref()));
                    assert!(!format!("{upstream:?}").contains("cret"), "{upstream:?}");
                }
                (Err(why), Err(words)) => {
                    assert!(why.contains(words) && !why.contains("s3cret"), "{url}: {why}")
                }
                (read, _) => panic!("{url}: {read:?}"),
            }
        }
    }

    #[test]
    fn the_command_line_counts_before_the_environment_and_a_clouds_own_proxy_is_none() {
        let (theirs, ours) = ("http://corp:3128", "http://127.0.0.1:10080");
        for (wish, variables, shown) in [
            (None, &[] as &[_], None),
            (None, &[("HTTPS_PROXY", theirs)], Some("corp:3128")),
            (None, &[("https_proxy", theirs), ("HTTPS_PROXY", "http://other:1")], Some("corp:3128")),
            (None, &[("ALL_PROXY", theirs)], Some("corp:3128")),
            (
                None,
                &[("https_proxy", theirs), ("http_proxy", "http://b:1")],
                Some("corp:3128 for CONNECT, b:1 for http://"),
            ),
            (None, &[("http_proxy", theirs)], Some("corp:3128 for http://")),
            (None, &[("HTTPS_PROXY", ours), (MARK, ours)], None),
            (Some("off"), &[("HTTPS_PROXY", theirs)], None),
            (Some("http://mine:8080"), &[("HTTPS_PROXY", theirs)], Some("mine:8080")),
        ] {
            assert_eq!(read(wish, variables).0.shown().as_deref(), shown, "{wish:?} {variables:?}");
        }
        let (none, warnings) = read(None, &[("HTTPS_PROXY", "socks5://corp:1080")]);
        assert!(none.shown().is_none() && warnings[0].contains("HTTPS_PROXY is left out"), "{warnings:?}");
        assert!(Upstreams::read(Some("ftp://x"), |_| None).is_err());
    }

    #[test]
    fn hosts_of_no_proxy_and_of_this_machine_are_called_directly() {
        let list = "10.0.0.0/8, .corp.example,*.lab.example,plain:8080,fd00::/8,192.0.2.7";
        let (upstreams, _) = read(Some("http://up:1"), &[("NO_PROXY", list)]);
        for (host, port, is_direct) in [
            ("example.org", 443, false),
            ("10.1.2.3", 443, true),
            ("11.1.2.3", 443, false),
            ("192.0.2.7", 80, true),
            ("192.0.2.8", 80, false),
            ("fd12::1", 80, true),
            ("git.corp.example", 443, true),
            ("corp.example.", 443, true),
            ("notcorp.example", 443, false),
            ("A.LAB.example", 443, true),
            ("plain", 8080, true),
            ("plain", 80, false),
            ("localhost", 80, true),
            ("127.0.0.7", 80, true),
            ("::1", 80, true),
        ] {
            for kind in [Kind::Tunnel, Kind::Plain] {
                assert_eq!(upstreams.to(host, port, kind).is_none(), is_direct, "{host}:{port}");
            }
        }
        assert!(
            read(Some("http://up:1"), &[("no_proxy", "*")]).0.to("example.org", 1, Kind::Plain).is_none()
        );
    }

    #[test]
    fn entries_that_keep_azures_names_from_us_are_known() {
        for (entry, is_one) in [
            ("169.254.169.254", true),
            ("169.254.0.0/16", true),
            ("*", true),
            (".azure.com", true),
            ("management.azure.com:443", true),
            ("management.azure.com:8080", false),
            ("core.windows.net", true),
            ("localhost", false),
            ("10.0.0.0/8", false),
            ("notazure.com", false),
        ] {
            let list = format!("localhost,{entry}");
            assert_eq!(withheld(&list), if is_one { vec![entry] } else { vec![] }, "{entry}");
        }
    }

    #[test]
    fn a_proxy_on_this_machine_is_known_by_its_port() {
        let (upstreams, _) = read(Some("http://localhost:10080"), &[]);
        assert!(upstreams.is_at(&[1, 10080]) && !upstreams.is_at(&[10081]));
        assert!(!read(Some("http://corp:10080"), &[]).0.is_at(&[10080]));
    }
}
