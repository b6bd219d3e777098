//! Which addresses a client is told to send to.

use std::{
    ffi::c_int,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ptr,
};

/// What clients are told to send to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advertise {
    /// The bound addresses; a wildcard stands for the addresses of the machine's interfaces, without loopback.
    Bound,
    /// As [`Advertise::Bound`], and loopback too: for development, where everything runs on one machine. Browsers
    /// without camera permission offer no loopback candidate of their own, so the others are needed as well.
    EveryInterface,
    /// These instead, where a client sees other addresses than the machine does (public address, NAT 1:1).
    Addresses(Vec<IpAddr>),
}

/// The addresses of a shard, as ICE host candidates in the order of preference.
pub(crate) fn candidates(
    bound: &[IpAddr],
    port: u16,
    advertise: &Advertise,
    interfaces: &[IpAddr],
) -> Vec<SocketAddr> {
    let has_family = |ip: &IpAddr| bound.iter().any(|bound| bound.is_ipv4() == ip.is_ipv4());
    let mut addresses: Vec<IpAddr> = Vec::new();
    if let Advertise::Addresses(advertised) = advertise {
        addresses.extend(advertised.iter().filter(|ip| has_family(ip)));
    } else {
        let loopback = *advertise == Advertise::EveryInterface;
        for ip in bound {
            if ip.is_unspecified() {
                let of_interfaces = interfaces.iter().filter(|known| known.is_ipv4() == ip.is_ipv4());
                addresses.extend(of_interfaces.filter(|known| loopback || !known.is_loopback()));
            } else {
                addresses.push(*ip);
            }
        }
    }
    // IPv4 first, and whatever order the machine has them in; no address twice.
    addresses.sort_by_key(IpAddr::is_ipv6);
    let mut seen = Vec::new();
    addresses.retain(|ip| {
        !seen.contains(ip) && {
            seen.push(*ip);
            true
        }
    });
    addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect()
}

/// The addresses of this machine's interfaces that are up, without those that mean nothing elsewhere (link-local).
pub(crate) fn interface_addresses() -> io::Result<Vec<IpAddr>> {
    let mut list: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: getifaddrs writes a list that is freed below.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut addresses = Vec::new();
    let mut at = list;
    // SAFETY: each entry is valid until the list is freed.
    while let Some(entry) = unsafe { at.as_ref() } {
        at = entry.ifa_next;
        if entry.ifa_flags & libc::IFF_UP as libc::c_uint == 0 {
            continue;
        }
        // SAFETY: the address is null or a socket address of its family.
        if let Some(ip) = unsafe { ip_of(entry.ifa_addr) }.filter(|ip| !is_link_local(ip)) {
            addresses.push(ip);
        }
    }
    // SAFETY: this is the list that getifaddrs gave, and nothing points into it any more.
    unsafe { libc::freeifaddrs(list) };
    Ok(addresses)
}

/// # Safety
/// `address` is null or points at a socket address that is as long as its family says.
unsafe fn ip_of(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: as the caller promises.
    unsafe {
        match c_int::from(address.as_ref()?.sa_family) {
            libc::AF_INET => {
                let address = address.cast::<libc::sockaddr_in>().read_unaligned();
                Some(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).into())
            }
            libc::AF_INET6 => {
                let address = address.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(Ipv6Addr::from(address.sin6_addr.s6_addr).into())
            }
            _ => None,
        }
    }
}

fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    fn told(bound: &[&str], advertise: &Advertise) -> Vec<String> {
        let interfaces = ips(&["::1", "127.0.0.1", "10.0.0.5", "2001:db8::5"]);
        candidates(&ips(bound), 9, advertise, &interfaces)
            .iter()
            .map(|candidate| candidate.to_string())
            .collect()
    }

    #[test]
    fn a_bound_address_stands_for_itself_and_a_wildcard_for_the_interfaces() {
        assert_eq!(told(&["10.0.0.5"], &Advertise::EveryInterface), ["10.0.0.5:9"]);
        assert_eq!(told(&["0.0.0.0", "::"], &Advertise::Bound), ["10.0.0.5:9", "[2001:db8::5]:9"]);
        assert_eq!(
            told(&["0.0.0.0", "::"], &Advertise::EveryInterface),
            ["127.0.0.1:9", "10.0.0.5:9", "[::1]:9", "[2001:db8::5]:9"]
        );
    }

    #[test]
    fn advertised_addresses_replace_all_others_where_their_family_is_bound() {
        let advertise = Advertise::Addresses(ips(&["203.0.113.7", "2001:db8::7", "203.0.113.7"]));
        assert_eq!(told(&["0.0.0.0"], &advertise), ["203.0.113.7:9"]);
    }

    #[test]
    fn this_machine_has_a_loopback_interface() {
        assert!(interface_addresses().unwrap().contains(&IpAddr::from([127, 0, 0, 1])));
    }
}
