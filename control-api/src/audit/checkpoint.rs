//! Signed statements about a chain, a line of text each, for a file that the database's owner cannot change.
//!
//! ```text
//! consilium-audit/1 checkpoint tenant=demo seq=4711 hash=64 digits at_ms=1772416800000 key=16 digits sig=86 characters
//! ```
//!
//! The signature (Ed25519, RFC 8032 §5.1; base64url without padding) is over the line's bytes before ` sig=`. `checkpoint`
//! says: at that time the chain's link `seq` had that hash. `dropped` says: retention removed the links up to `seq`, whose
//! hash that was, so that the chain may begin after it.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use signaling_protocol::ticket::PublicKey;

use super::Head;
use crate::{limits::ANCHOR_LINE_BYTES_MAX, named::named};

const FORMAT: &str = "consilium-audit/1";
const SIGNATURE: &str = " sig=";
/// What a line with a public key begins with.
const KEY: &str = "ed25519:";
/// Longest tenant's name.
const TENANT_BYTES_MAX: usize = 40;

/// Bytes or text that are no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key")]
pub struct InvalidKey;

named! {
    /// What a statement says.
    pub enum Kind {
        /// The chain was so then.
        Checkpoint = "checkpoint",
        /// Retention removed everything up to here.
        Dropped = "dropped",
    }
}

/// One statement about one tenant's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it says.
    pub kind: Kind,
    /// Whose chain.
    pub tenant: String,
    /// Which link, and its hash.
    pub head: Head,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: i64,
}

named! {
    /// What is wrong with a line of the anchor file.
    pub enum LineFault {
        /// It is no statement.
        Malformed = "malformed",
        /// Its key is not among those given.
        UnknownKey = "unknown_key",
        /// Its signature is not that key's.
        Forged = "forged",
        /// It contradicts a line before it, or takes the chain back.
        Contradicts = "contradicts",
    }
}

impl Statement {
    fn to_signed_part(&self, kid: &str) -> String {
        let (seq, hash) = (self.head.seq, self.head.hash);
        let (kind, tenant, at_ms) = (self.kind, &self.tenant, self.at_ms);
        format!("{FORMAT} {kind} tenant={tenant} seq={seq} hash={hash} at_ms={at_ms} key={kid}")
    }

    /// Reads what was signed, and by which key it says. Another way to write the same is refused.
    fn parse_signed_part(text: &str) -> Option<(Self, &str)> {
        let mut words = text.split(' ');
        if words.next() != Some(FORMAT) {
            return None;
        }
        let kind = words.next()?.parse().ok()?;
        let mut value = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=');
        let tenant = value("tenant").filter(|tenant| is_tenant(tenant))?.to_owned();
        let seq = value("seq")?.parse().ok().filter(|seq| *seq > 0)?;
        let hash = value("hash")?.parse().ok()?;
        let at_ms = value("at_ms")?.parse().ok()?;
        let kid = value("key")?;
        let statement = Self { kind, tenant, head: Head { seq, hash }, at_ms };
        (statement.to_signed_part(kid) == text).then_some((statement, kid))
    }
}

fn is_tenant(text: &str) -> bool {
    let is_sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=TENANT_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_sound)
}

/// Signs statements. Its key is kept outside the database.
pub struct CheckpointSigner {
    key: Ed25519KeyPair,
    public: PublicKey,
}

impl CheckpointSigner {
    /// A new key from the operating system's random source.
    pub fn generate() -> Result<Self, InvalidKey> {
        Self::from_key(Ed25519KeyPair::generate().map_err(|_| InvalidKey)?)
    }

    /// A key kept as PKCS #8 (RFC 8410 §7).
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, InvalidKey> {
        Self::from_key(Ed25519KeyPair::from_pkcs8(der).map_err(|_| InvalidKey)?)
    }

    /// The key as PKCS #8 version 2 (RFC 5958 §2), to be kept. A secret: never to be logged.
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, InvalidKey> {
        self.key.to_pkcs8().map(|document| document.as_ref().to_vec()).map_err(|_| InvalidKey)
    }

    /// The other half, as a line for the file that verifiers read.
    pub fn public_line(&self) -> String {
        format!("{KEY}{}", URL_SAFE_NO_PAD.encode(self.public.to_bytes()))
    }

    /// The statement as a line of the anchor file, without its end.
    pub fn sign(&self, statement: &Statement) -> String {
        let signed = statement.to_signed_part(self.public.kid());
        let signature = self.key.sign(signed.as_bytes());
        format!("{signed}{SIGNATURE}{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn from_key(key: Ed25519KeyPair) -> Result<Self, InvalidKey> {
        let bytes = key.public_key().as_ref().try_into().map_err(|_| InvalidKey)?;
        Ok(Self { key, public: PublicKey::from_bytes(bytes).map_err(|_| InvalidKey)? })
    }
}

impl fmt::Debug for CheckpointSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointSigner").field("public", &self.public).finish_non_exhaustive()
    }
}

/// The public keys that statements may be signed with: today's, and those before it.
pub struct CheckpointKeys(Vec<(String, ParsedPublicKey)>);

impl CheckpointKeys {
    /// Reads a file of keys: one a line, as [`CheckpointSigner::public_line`] wrote it. Empty lines and what begins with
    /// `#` are passed over; a file without a key is refused.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys: Vec<_> = lines.map(parse_key).collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(InvalidKey) } else { Ok(Self(keys)) }
    }

    /// What a line of the anchor file says, if one of the keys signed it.
    pub fn verify(&self, line: &str) -> Result<Statement, LineFault> {
        if line.len() > ANCHOR_LINE_BYTES_MAX {
            return Err(LineFault::Malformed);
        }
        let (signed, signature) = line.split_once(SIGNATURE).ok_or(LineFault::Malformed)?;
        let (statement, kid) = Statement::parse_signed_part(signed).ok_or(LineFault::Malformed)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| LineFault::Malformed)?;
        let (_, key) = self.0.iter().find(|(known, _)| known == kid).ok_or(LineFault::UnknownKey)?;
        key.verify_sig(signed.as_bytes(), &signature).map_err(|_| LineFault::Forged)?;
        Ok(statement)
    }
}

impl fmt::Debug for CheckpointKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(kid, _)| kid)).finish()
    }
}

fn parse_key(line: &str) -> Result<(String, ParsedPublicKey), InvalidKey> {
    let text = line.strip_prefix(KEY).ok_or(InvalidKey)?;
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidKey)?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| InvalidKey)?;
    let public = PublicKey::from_bytes(bytes).map_err(|_| InvalidKey)?;
    let key = ParsedPublicKey::new(&ED25519, bytes).map_err(|_| InvalidKey)?;
    Ok((public.kid().to_owned(), key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> Statement {
        let head = Head { seq: 4711, ..Head::genesis("demo") };
        Statement { kind: Kind::Checkpoint, tenant: "demo".into(), head, at_ms: 1_772_416_800_000 }
    }

    fn signer() -> CheckpointSigner {
        CheckpointSigner::generate().expect("a key")
    }

    #[test]
    fn a_statement_is_read_back_by_whoever_has_the_public_key() {
        let signer = signer();
        let line = signer.sign(&statement());
        let keys = CheckpointKeys::parse(&format!("# today's\n\n{}\n", signer.public_line())).expect("a key");
        assert_eq!(keys.verify(&line), Ok(statement()));
        let kept = CheckpointSigner::from_pkcs8(&signer.to_pkcs8().expect("kept")).expect("the same key");
        assert_eq!(keys.verify(&kept.sign(&statement())), Ok(statement()));
    }

    #[test]
    fn another_key_s_statement_counts_for_nothing() {
        let (ours, other) = (signer(), signer());
        let keys = CheckpointKeys::parse(&ours.public_line()).expect("a key");
        let line = other.sign(&statement());
        assert_eq!(keys.verify(&line), Err(LineFault::UnknownKey));
        // Under our key's name, it is forged.
        let renamed = line.replace(other.public.kid(), ours.public.kid());
        assert_eq!(keys.verify(&renamed), Err(LineFault::Forged));
    }

    #[test]
    fn a_changed_line_is_found() {
        let signer = signer();
        let keys = CheckpointKeys::parse(&signer.public_line()).expect("a key");
        let line = signer.sign(&statement());
        let forged = [
            line.replace("seq=4711", "seq=4712"),
            line.replace("tenant=demo", "tenant=dem0"),
            line.replace("checkpoint", "dropped"),
            line.replace("at_ms=1", "at_ms=2"),
        ];
        for line in forged {
            assert_eq!(keys.verify(&line), Err(LineFault::Forged), "{line}");
        }
        let malformed = [
            String::new(),
            "hello".into(),
            line.replace("/1", "/2"),
            line.replace("seq=4711", "seq=+4711"),
            line.replace("seq=4711", "seq=0"),
            line.replace(" seq", "  seq"),
            line.replace("demo", "Demo"),
            line.replace(" sig=", " sig= "),
            format!("{line} sig="),
            format!("{line}{}", "A".repeat(1_000)),
        ];
        for line in malformed {
            assert_eq!(keys.verify(&line), Err(LineFault::Malformed), "{line}");
        }
    }

    #[test]
    fn a_file_without_a_good_key_is_refused() {
        for bad in
            ["", "# nothing", "ed25519:AAAA", "rsa:AAAA", &format!("{}\nrubbish", signer().public_line())]
        {
            assert_eq!(CheckpointKeys::parse(bad).map(|_| ()), Err(InvalidKey), "{bad}");
        }
    }
}
