//! Control messages: the local address (`IP_PKTINFO`, RFC 3542 §6.1), the length of a train's datagrams (`UDP_GRO` in,
//! `UDP_SEGMENT` out), and the ECN mark (RFC 3168 §5).

use std::{
    ffi::c_int,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use libc::{cmsghdr, msghdr};

/// Room for the three that come in: at most 40, 24 and 24 bytes.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(super) struct Control([u8; CONTROL_BYTES]);

pub(super) const CONTROL_BYTES: usize = 96;

/// Congestion experienced, in the two bits of ECN.
pub(super) const ECN_CE: u8 = 0b11;

/// What came with a message, as far as the kernel said it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Received {
    pub local: Option<IpAddr>,
    pub segment: Option<usize>,
    pub ecn: u8,
}

impl Control {
    pub const EMPTY: Self = Self([0; CONTROL_BYTES]);
}

pub(super) fn read(header: &msghdr) -> Received {
    let mut received = Received::default();
    // SAFETY: the kernel filled the control buffer of this header and set its length.
    unsafe {
        let mut at: *const cmsghdr = libc::CMSG_FIRSTHDR(header);
        while let Some(message) = at.as_ref() {
            let data = libc::CMSG_DATA(message);
            match (message.cmsg_level, message.cmsg_type) {
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    let segment = data.cast::<c_int>().read_unaligned();
                    received.segment = usize::try_from(segment).ok().filter(|segment| *segment > 0);
                }
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info: libc::in_pktinfo = data.cast::<libc::in_pktinfo>().read_unaligned();
                    received.local = Some(Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr)).into());
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info: libc::in6_pktinfo = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    received.local = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
                }
                (libc::IPPROTO_IP, libc::IP_TOS) => received.ecn = data.read() & ECN_CE,
                (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                    received.ecn = data.cast::<c_int>().read_unaligned() as u8 & ECN_CE;
                }
                _ => {}
            }
            at = libc::CMSG_NXTHDR(header, message);
        }
    }
    received
}

/// Writes the address to send from, if any, and the length of a train's datagrams, if it is one; returns how long both
/// are together.
pub(super) fn write(control: &mut Control, source: Option<IpAddr>, segment: Option<u16>) -> usize {
    let used = match source {
        None => 0,
        Some(IpAddr::V4(local)) => {
            let address = libc::in_addr { s_addr: u32::from(local).to_be() };
            let unset = libc::in_addr { s_addr: 0 };
            let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: address, ipi_addr: unset };
            write_one(control, 0, (libc::IPPROTO_IP, libc::IP_PKTINFO), info)
        }
        Some(IpAddr::V6(local)) => {
            let ipi6_addr = libc::in6_addr { s6_addr: local.octets() };
            let info = libc::in6_pktinfo { ipi6_addr, ipi6_ifindex: 0 };
            write_one(control, 0, (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO), info)
        }
    };
    match segment {
        None => used,
        Some(segment) => write_one(control, used, (libc::SOL_UDP, libc::UDP_SEGMENT), segment),
    }
}

/// Writes one behind `used` bytes; returns how many are used then.
fn write_one<T: Copy>(control: &mut Control, used: usize, (level, kind): (c_int, c_int), value: T) -> usize {
    let length = size_of::<T>() as u32;
    // SAFETY: CMSG_SPACE of a pktinfo is at most 40 bytes and that of a u16 is 24; the buffer has 96, and what is used
    // is a multiple of 8, as a cmsghdr has to be aligned.
    unsafe {
        let message = (&raw mut *control).cast::<u8>().add(used).cast::<cmsghdr>();
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = libc::CMSG_LEN(length) as _;
        libc::CMSG_DATA(message).cast::<T>().write_unaligned(value);
        used + libc::CMSG_SPACE(length) as usize
    }
}
