//! The vectors of RFC 5769, and bytes that are no STUN at all.

use super::*;

const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

/// RFC 5769 §2.1
const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae\
    802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36\
    000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
/// XOR-MAPPED-ADDRESS of RFC 5769 §2.2 and RFC 5769 §2.3
const MAPPED_IPV4: &str = "002000080001a147e112a643";
const MAPPED_IPV6: &str = "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn the_sample_request_of_rfc_5769_is_understood_and_authentic() {
    let message = bytes(REQUEST);
    let request = BindingRequest::parse(&message).unwrap();
    assert!(request.has_valid_fingerprint());
    assert!(request.is_authentic(&integrity_key(PASSWORD)));
    assert!(!request.is_authentic(&integrity_key("VOkJxbRl1RmTxUk/WvJxBu")));
    assert_eq!(request.local_ufrag(), Some("evtj"));
    assert!(
        request.is_for("evtj", "h6vY") && !request.is_for("evtj", "h6v") && !request.is_for("evt", "j:h6vY")
    );
    assert!(request.ice_controlled && !request.use_candidate && request.unknown_attributes().is_empty());
}

#[test]
fn addresses_are_masked_as_in_the_sample_responses_of_rfc_5769() {
    let message = bytes(REQUEST);
    let request = BindingRequest::parse(&message).unwrap();
    for (address, expected) in
        [("192.0.2.1:32853", MAPPED_IPV4), ("[2001:db8:1234:5678:11:2233:4455:6677]:32853", MAPPED_IPV6)]
    {
        let mut out = [0; RESPONSE_BYTES_MAX];
        let length = request.succeed(address.parse().unwrap(), &integrity_key(PASSWORD), &mut out).unwrap();
        let expected = bytes(expected);
        assert_eq!(out[HEADER_BYTES..HEADER_BYTES + expected.len()], expected);
        assert_eq!(length, HEADER_BYTES + expected.len() + 24 + 8);
    }
}

#[test]
fn one_wrong_bit_anywhere_is_noticed() {
    let good = bytes(REQUEST);
    let key = integrity_key(PASSWORD);
    for bit in 0..good.len() * 8 {
        let mut message = good.clone();
        message[bit / 8] ^= 1 << (bit % 8);
        let accepted =
            BindingRequest::parse(&message).is_ok_and(|r| r.has_valid_fingerprint() && r.is_authentic(&key));
        assert!(!accepted, "bit {bit}");
    }
}

#[test]
fn truncated_requests_are_malformed() {
    let good = bytes(REQUEST);
    for length in 0..good.len() {
        assert_eq!(
            BindingRequest::parse(&good[..length]).unwrap_err(),
            DropReason::StunMalformed,
            "{length}"
        );
        // The same with a length field that agrees with what is left.
        let mut message = good[..length].to_vec();
        if let (Some(field), Some(rest)) = (message.get_mut(2..4), length.checked_sub(HEADER_BYTES)) {
            field.copy_from_slice(&(rest as u16).to_be_bytes());
            assert_eq!(BindingRequest::parse(&message).unwrap_err(), DropReason::StunMalformed, "{length}");
        }
    }
}

#[test]
fn a_buffer_that_is_too_small_gets_no_response() {
    let message = bytes(REQUEST);
    let request = BindingRequest::parse(&message).unwrap();
    let from = "192.0.2.1:32853".parse().unwrap();
    for length in 0..HEADER_BYTES + 12 + 24 + 8 {
        assert_eq!(request.succeed(from, &integrity_key(PASSWORD), &mut vec![0; length]), None, "{length}");
    }
}
