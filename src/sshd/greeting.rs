//! Whether an sshd answers where it should.

use std::{
    io::Read as _,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// The address to ask for sshd, of the words that its `ListenAddress` is printed with.
#[must_use]
pub fn address<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<SocketAddr> {
    let mut address: SocketAddr = words.find_map(|word| word.parse().ok())?;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    Some(address)
}

/// Whether an sshd answers with its banner at `address`.
#[must_use]
pub fn greets(address: SocketAddr) -> bool {
    let patience = Duration::from_secs(2);
    let Ok(mut stream) = TcpStream::connect_timeout(&address, patience) else { return false };
    let mut greeting = [0; 4];
    stream.set_read_timeout(Some(patience)).is_ok() && stream.read_exact(&mut greeting).is_ok() && greeting == *b"SSH-"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn sshd_is_asked_where_it_listens() {
        let of = |text: &str| address(text.split(' ')).map(|address| address.to_string());
        assert_eq!(of("0.0.0.0:22 [::]:22").as_deref(), Some("127.0.0.1:22"));
        assert_eq!(of("[::]:2222").as_deref(), Some("[::1]:2222"));
        assert_eq!(of("192.0.2.7:22").as_deref(), Some("192.0.2.7:22"));
        assert_eq!(of(""), None);
    }

    #[test]
    fn what_answers_otherwise_is_no_sshd() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        for (greeting, good) in [(&b"SSH-2.0-x\r\n"[..], true), (b"HTTP/1.0", false), (b"SS", false)] {
            let answer = thread::spawn(move || greets(address));
            std::io::Write::write_all(&mut listener.accept().unwrap().0, greeting).unwrap();
            assert_eq!(answer.join().unwrap(), good, "{greeting:?}");
        }
        drop(listener);
        assert!(!greets(address));
    }
}
