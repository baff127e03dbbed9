use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address can only be the business's own network's: RFC 1918,
/// RFC 4193, loopback (RFC 1122, RFC 4291) and link-local (RFC 3927, RFC 4291).
pub fn is_on_site(ip: IpAddr) -> bool {
    let v4 = |ip: Ipv4Addr| ip.is_private() || ip.is_loopback() || ip.is_link_local();
    let v6 = |ip: Ipv6Addr| ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local();
    match ip {
        IpAddr::V4(ip) => v4(ip),
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or_else(|| v6(ip), v4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_private_networks_are_on_site() {
        let ip = |text: &str| text.parse().expect("an address");
        for near in [
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.7.7",
            "127.0.0.1",
            "169.254.3.4",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:192.168.0.1",
        ] {
            assert!(is_on_site(ip(near)), "{near}");
        }
        for far in [
            "8.8.8.8",
            "172.32.0.1",
            "172.15.255.255",
            "192.169.0.1",
            "100.64.0.1",
            "2606:4700::1",
            "::ffff:8.8.8.8",
            "0.0.0.0",
            "::",
        ] {
            assert!(!is_on_site(ip(far)), "{far}");
        }
    }
}
