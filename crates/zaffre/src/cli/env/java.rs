//! What Java reads: none of the variables that others do, but options, which one variable holds for every program.
//!
//! JAVA_TOOL_OPTIONS is read by the virtual machine itself (documented: Troubleshooting Guide, "JAVA_TOOL_OPTIONS"); the names
//! of the options are those of "Java Networking and Proxies" and of JSSE's reference. Azure's libraries for Java read the
//! proxy's variables and need the trust store alone.

use std::path::Path;

use http::Uri;

use crate::control::Variable;

/// The variable, made of those that name the proxy and the certificate. A proxy with credentials is told no secret here: Java
/// gives them only when it is asked, and this proxy asks nobody.
pub(super) fn options(variables: &[Variable]) -> Option<Variable> {
    let value = |name: &str| variables.iter().find(|it| it.name == name)?.value.as_deref();
    let proxy: Uri = value("HTTPS_PROXY")?.parse().ok()?;
    let (host, port) = (proxy.host()?, proxy.port_u16()?);
    let store = Path::new(value("NODE_EXTRA_CA_CERTS")?).with_file_name("truststore.jks");
    let mut options = vec![format!("javax.net.ssl.trustStore={}", store.display())];
    options.push("javax.net.ssl.trustStoreType=JKS".to_owned());
    for scheme in ["https", "http"] {
        options.push(format!("{scheme}.proxyHost={host}"));
        options.push(format!("{scheme}.proxyPort={port}"));
    }
    // Named, because metadata is not among what is left out by itself.
    options.push("http.nonProxyHosts=localhost|127.*|[::1]".to_owned());
    let options: Vec<String> = options.iter().map(|it| word(&format!("-D{it}"))).collect();
    Some(Variable { name: "JAVA_TOOL_OPTIONS".to_owned(), value: Some(options.join(" ")) })
}

/// Options are parted by white space, which quotes hold together.
fn word(option: &str) -> String {
    if option.contains(char::is_whitespace) { format!("\"{option}\"") } else { option.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_made_of_what_others_read() {
        let set = |name: &str, value: &str| Variable { name: name.to_owned(), value: Some(value.to_owned()) };
        let all = [
            set("HTTPS_PROXY", "http://vm:s3cret@127.0.0.1:10080"),
            set("NODE_EXTRA_CA_CERTS", "/a b/ca.pem"),
        ];
        let made = options(&all).expect("a proxy").value.expect("a value");
        assert_eq!(
            made,
            "\"-Djavax.net.ssl.trustStore=/a b/truststore.jks\" -Djavax.net.ssl.trustStoreType=JKS \
             -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=10080 -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=10080 \
             -Dhttp.nonProxyHosts=localhost|127.*|[::1]"
        );
        assert!(options(&all[..1]).is_none());
    }
}
