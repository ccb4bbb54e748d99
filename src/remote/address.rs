//! Which addresses are asked at all: none of our own network's, however they are named.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

const LONGEST: usize = 2048;

/// How far we go for keys, and with messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// To public addresses, by https.
    #[default]
    Public,
    /// For tests: to this machine also, by http and at any port.
    Loopback,
}

/// Reads an address that may be asked; otherwise says why not, in words that follow its name.
pub fn check(address: &str, reach: Reach) -> Result<Url, &'static str> {
    if address.len() > LONGEST {
        return Err("must be at most 2048 letters long");
    }
    let url = Url::parse(address).map_err(|_| "must be an absolute URL")?;
    if reach == Reach::Loopback && url.scheme() == "http" && is_own_machine(&url) {
        return Ok(url);
    }
    if url.scheme() != "https" {
        return Err("must begin with `https://`");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or a password");
    }
    if url.fragment().is_some() {
        return Err("must not have a fragment");
    }
    if url.port().is_some() {
        return Err("must be at port 443");
    }
    let host = url.host_str().unwrap_or_default();
    let is_name = !host.starts_with('[') && host.parse::<Ipv4Addr>().is_err();
    if !is_name || !host.trim_end_matches('.').contains('.') {
        return Err("must have the public name of a host, and not a network address");
    }
    Ok(url)
}

fn is_own_machine(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "[::1]"))
}

/// Finds the addresses of a name, and refuses the name if one of them is not public. What was looked at is what is asked,
/// so that a name cannot lead elsewhere the second time.
#[derive(Debug)]
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<_> = found.collect();
            if found.iter().all(|address| is_public(address.ip())) {
                Ok(Box::new(found.into_iter()) as Addrs)
            } else {
                Err("the name leads to an address that is not public".into())
            }
        })
    }
}

/// Whether anybody on the internet may be asked at it (the special-purpose registries of IANA, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|(base, bits)| {
            let shift = 32 - u32::from(*bits);
            u32::from(address) >> shift == u32::from(*base) >> shift
        }),
        IpAddr::V6(address) => {
            let within = |(base, bits): &(Ipv6Addr, u8)| {
                let shift = 128 - u32::from(*bits);
                u128::from(address) >> shift == u128::from(*base) >> shift
            };
            within(&(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3))
                && !SPECIAL_V6.iter().any(within)
        }
    }
}

const SPECIAL_V4: [(Ipv4Addr, u8); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Within `2000::/3`, outside which nothing is public: addresses of tunnels, which carry another inside, and of examples.
const SPECIAL_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_public_name_by_https_at_its_port() {
        for good in ["https://login.example.org/keys", "https://login.example.org:443/a?b=c"] {
            assert!(check(good, Reach::Public).is_ok(), "{good}");
        }
        for bad in [
            "",
            "keys",
            "//login.example.org/keys",
            "http://login.example.org/keys",
            "ftp://login.example.org/keys",
            "file:///etc/passwd",
            "data:application/json,{}",
            "https://login.example.org:8443/keys",
            "https://user@login.example.org/keys",
            "https://user:word@login.example.org/keys",
            "https://login.example.org/keys#one",
            "https://localhost/keys",
            "https://keys/",
            "https://127.0.0.1/keys",
            "https://2130706433/keys",
            "https://0x7f.1/keys",
            "https://0177.0.0.1/keys",
            "https://127.1/keys",
            "https://8.8.8.8/keys",
            "https://[::1]/keys",
            "https://[2606:4700::1111]/keys",
            "https://[::ffff:10.0.0.1]/keys",
            "http://127.0.0.1/keys",
            "http://127.0.0.1:9000/keys",
        ] {
            assert!(check(bad, Reach::Public).is_err(), "{bad}");
        }
        let long = format!("https://login.example.org/{}", "k".repeat(2048));
        assert!(check(&long, Reach::Public).is_err());
    }

    #[test]
    fn only_for_tests_is_this_machine_asked_by_http() {
        assert!(check("http://127.0.0.1:9000/keys", Reach::Loopback).is_ok());
        assert!(check("http://[::1]:9000/keys", Reach::Loopback).is_ok());
        for bad in ["http://10.0.0.1/", "http://login.example.org/", "https://127.0.0.1/"] {
            assert!(check(bad, Reach::Loopback).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_but_public_addresses_is_asked() {
        for public in ["8.8.8.8", "193.62.1.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for own in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "100::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "3fff::1",
            "4000::1",
        ] {
            assert!(!is_public(own.parse().unwrap()), "{own}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused() {
        let name = "localhost".parse().unwrap();
        assert!(PublicOnly.resolve(name).await.is_err());
    }
}
