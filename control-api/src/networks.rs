//! Networks that an operator names, and which addresses are somebody's in the world. Whoever may name a URL could otherwise
//! have the server ask its own neighbours: a metadata service, a database, a printer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Networks that an operator names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

/// IPv4 addresses that are nobody's in the world: the special-purpose registry of RFC 6890.
const SPECIAL_V4: [(Ipv4Addr, u8); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
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

/// Only these IPv6 addresses are anybody's in the world (RFC 4291 §2.4), except for some that are within.
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const SPECIAL_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // What stands for an IPv4 address behind it (RFC 3056).
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

impl Networks {
    /// Takes networks such as `10.1.0.0/16` or `fd00::/8`, or single addresses. `None` where one is not of that form.
    pub fn parse<T: AsRef<str>>(list: &[T]) -> Option<Self> {
        let network = |text: &T| {
            let text = text.as_ref();
            text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
        };
        list.iter().map(network).collect::<Option<_>>().map(Self)
    }

    /// Whether an address is within one of these networks.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether something may be sent there: the address is somebody's in the world, or within one of these networks.
    pub fn may_reach(&self, address: IpAddr) -> bool {
        is_global(address.to_canonical()) || self.contains(address)
    }
}

fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|net| v4(*net).contains(&address)),
        IpAddr::V6(address) => {
            v6(GLOBAL_V6).contains(&address) && !SPECIAL_V6.iter().any(|net| v6(*net).contains(&address))
        }
    }
}

fn v4((address, length): (Ipv4Addr, u8)) -> Ipv4Net {
    Ipv4Net::new_assert(address, length)
}

fn v6((address, length): (Ipv6Addr, u8)) -> Ipv6Net {
    Ipv6Net::new_assert(address, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    #[test]
    fn neighbours_are_out_of_reach_and_the_world_is_not() {
        let none = Networks::default();
        let near = [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.31.255.255",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "fe80::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
        ];
        for near in near {
            assert!(!none.may_reach(address(near)), "{near}");
        }
        for far in
            ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::1", "::ffff:1.1.1.1"]
        {
            assert!(none.may_reach(address(far)), "{far}");
        }
    }

    #[test]
    fn an_operator_may_open_a_network_and_only_that() {
        let lan = Networks::parse(&["10.1.0.0/16", "::1"]).expect("two networks");
        assert!(lan.may_reach(address("10.1.9.9")) && lan.may_reach(address("::ffff:10.1.9.9")));
        assert!(lan.may_reach(address("::1")) && !lan.may_reach(address("10.2.0.1")));
        assert!(lan.may_reach(address("1.1.1.1")) && !lan.contains(address("1.1.1.1")));
        assert_eq!(Networks::parse(&["10.1.0.0/33"]), None);
        assert_eq!(Networks::parse(&["ehr.local"]), None);
    }
}
