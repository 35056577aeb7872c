//! A user's public keys from GitHub, or from a server with the same answers: once, over TLS, bounded.
//!
//! Certificates are checked against the host's own roots, so that a company's server with its own authority works.
//! Names are resolved by getent(1): a static binary loads no name service modules.

use crate::sys::program;
use anyhow::Context as _;
use std::{
    fs,
    io::Read as _,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    sync::Arc,
    time::Duration,
};
use ureq::{
    Agent,
    config::Config,
    http::{Uri, uri::Scheme},
    tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem},
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};

/// GitHub itself.
pub(super) const GITHUB: &str = "https://github.com";
/// Largest answer, in bytes: some hundred RSA keys.
const MAX_BYTES: u64 = 256 * 1024;
/// The whole of it, from the name to the last byte.
const DEADLINE: Duration = Duration::from_secs(20);
const CONNECT: Duration = Duration::from_secs(10);
/// The host's trusted roots: Debian's place, Red Hat's, SUSE's, Alpine's.
const ROOTS: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A name on such a server.
#[derive(Debug, Clone)]
pub(super) struct Login(String);

impl FromStr for Login {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = (1..=100).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if valid { Ok(Self(text.to_owned())) } else { Err("a name of letters, digits, '.', '_' and '-'") }
    }
}

impl std::fmt::Display for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The address of a server.
#[derive(Debug, Clone)]
pub(super) struct Server {
    uri: Uri,
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: Uri = text.trim_end_matches('/').parse().map_err(|error| format!("{error}"))?;
        if uri.query().is_some() || uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err("an address such as https://git.example.org, without user and query".to_owned());
        }
        let server = Self { uri };
        match server.uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => Ok(server),
            // No other host reads or changes what this host sends to itself.
            Some(scheme) if *scheme == Scheme::HTTP && server.is_loopback() => Ok(server),
            _ => Err("only https is safe: a host in between could send other keys".to_owned()),
        }
    }
}

impl Server {
    /// Its name, for comments and messages.
    pub(super) fn name(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    fn is_loopback(&self) -> bool {
        let host = self.name().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// The text that the server has at `<name>.keys`: whatever it is.
    pub(super) fn keys(&self, login: &Login) -> anyhow::Result<String> {
        let address = format!("{}/{login}.keys", self.uri.to_string().trim_end_matches('/'));
        let agent = self.agent()?;
        let mut answer = agent.get(&address).call().with_context(|| format!("fetching {address}"))?;
        let status = answer.status().as_u16();
        anyhow::ensure!(status != 404, "{} knows no user {login}", self.name());
        anyhow::ensure!(status == 200, "{address} answered with status {status}; the address has to be the last one");
        let mut text = String::new();
        let mut body = answer.body_mut().as_reader().take(MAX_BYTES + 1);
        body.read_to_string(&mut text).with_context(|| format!("reading {address}"))?;
        anyhow::ensure!(text.len() as u64 <= MAX_BYTES, "{address} is longer than {MAX_BYTES} bytes");
        Ok(text)
    }

    fn agent(&self) -> anyhow::Result<Agent> {
        let config = Agent::config_builder()
            .https_only(!self.is_loopback())
            .http_status_as_error(false)
            // A redirect leads to a server that the administrator did not name.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(64 * 1024)
            .timeout_global(Some(DEADLINE))
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("podspawn/", env!("CARGO_PKG_VERSION")));
        let config = if self.is_loopback() { config.proxy(None) } else { config };
        let config = if self.uri.scheme() == Some(&Scheme::HTTPS) { config.tls_config(tls()?) } else { config };
        Ok(Agent::with_parts(config.build(), DefaultConnector::default(), Getent))
    }
}

fn tls() -> anyhow::Result<TlsConfig> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let place = named.or_else(|| ROOTS.iter().map(PathBuf::from).find(|path| path.exists()));
    let place = place
        .context("this host has no trusted certificates; install them (Debian: apt-get install ca-certificates)")?;
    let pem = fs::read(&place).with_context(|| format!("{}", place.display()))?;
    let roots: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    anyhow::ensure!(!roots.is_empty(), "{} has no certificates in it", place.display());
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

/// Resolves names as the host does.
#[derive(Debug)]
struct Getent;

impl Resolver for Getent {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 });
        let addresses = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => look_up(host)?,
        };
        let mut resolved = self.empty();
        for address in addresses.into_iter().take(16) {
            resolved.push(SocketAddr::new(address, port));
        }
        if resolved.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(resolved) }
    }
}

fn look_up(host: &str) -> Result<Vec<IpAddr>, ureq::Error> {
    let getent = program::find("getent").ok_or(ureq::Error::HostNotFound)?;
    let done = program::run(&getent, &["ahosts", "--", host], b"", CONNECT)?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in done.out.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write as _, net::TcpListener, thread};

    /// A server of one answer; returns its address, and the request.
    fn server(answer: Vec<u8>) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                request.push(byte[0]);
            }
            // The client hangs up once it has read enough.
            let _ = stream.write_all(&answer);
            String::from_utf8(request).unwrap()
        });
        (address, asked)
    }

    fn fetch(address: &str) -> Result<String, String> {
        let server: Server = address.parse().unwrap();
        server.keys(&"alice".parse().unwrap()).map_err(|error| format!("{error:#}"))
    }

    fn answer(head: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).into_bytes()
    }

    #[test]
    fn keys_are_asked_for_by_name() {
        let (address, asked) = server(answer("200 OK", "ssh-ed25519 AAAA\n"));
        assert_eq!(fetch(&format!("{address}/base/")).unwrap(), "ssh-ed25519 AAAA\n");
        let request = asked.join().unwrap();
        assert!(request.starts_with("GET /base/alice.keys HTTP/1.1\r\n"), "{request}");
    }

    #[test]
    fn an_answer_that_is_not_the_keys_is_named_in_the_error() {
        for (bytes, message) in [
            (answer("404 Not Found", "no"), "127.0.0.1 knows no user alice"),
            (answer("302 Found\r\nLocation: http://127.0.0.1:1/", ""), "status 302"),
            (answer("500 Oops", ""), "status 500"),
            (answer("200 OK", &"x".repeat(300_000)), "longer than 262144 bytes"),
            (b"nonsense\r\n\r\n".to_vec(), "fetching http://127.0.0.1"),
            (Vec::new(), "fetching http://127.0.0.1"),
        ] {
            let (address, asked) = server(bytes);
            let error = fetch(&address).unwrap_err();
            assert!(error.contains(message), "{message}: {error}");
            asked.join().unwrap();
        }
        // No server listens there.
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(fetch(&format!("http://{gone}")).unwrap_err().contains("fetching"));
    }

    #[test]
    fn a_server_that_does_not_speak_tls_is_not_spoken_to() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let mut first = [0];
            stream.read_exact(&mut first).unwrap();
            stream.write_all(&answer("200 OK", "ssh-ed25519 AAAA\n")).unwrap();
            first
        });
        let error = fetch(&format!("https://{address}")).unwrap_err();
        assert!(error.contains("fetching https://127.0.0.1"), "{error}");
        // The first byte of a handshake, and no request.
        assert_eq!(heard.join().unwrap(), [0x16]);
    }

    #[test]
    fn only_https_leaves_this_host() {
        for good in ["https://github.com", "https://git.example.org:8443/x/", "http://localhost:80", "http://[::1]:1"] {
            good.parse::<Server>().unwrap();
        }
        for bad in [
            "http://github.com",
            "http://127.0.0.1.example.org",
            "ftp://localhost",
            "https://user@host",
            "https://host/?a=b",
            "github.com",
            "",
        ] {
            bad.parse::<Server>().unwrap_err();
        }
        for bad in ["", "../x", "a/b", "-a", "a?b", "a b", ".a"] {
            bad.parse::<Login>().unwrap_err();
        }
    }

    #[test]
    fn names_are_resolved_by_the_host() {
        assert!(look_up("localhost").unwrap().iter().all(IpAddr::is_loopback));
        assert!(!look_up("localhost").unwrap().is_empty());
        assert!(look_up("no-such-name.invalid").unwrap().is_empty());
    }
}
