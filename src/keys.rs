//! The node's keys: made on first start, kept in the data folder, readable by its owner only. Those that sign what clients are
//! handed are changed while the node runs (`signing_keys/`).

use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use control_api::{AccessToken, VisitToken, audit::CheckpointSigner, whole_file};
use media_engine::transport::dtls::Identity;
use signaling_protocol::ticket::{KeyRing, ResumeSigner, Signer, Ticket, Token};
use zeroize::Zeroizing;

use crate::spool::SpoolKey;

/// The keys of one node.
#[derive(Debug)]
pub struct NodeKeys {
    /// For tickets.
    pub tickets: KeyRing<Ticket>,
    /// For access tokens.
    pub access: KeyRing<AccessToken>,
    /// For tokens of visits.
    pub visits: KeyRing<VisitToken>,
    /// Signs resume tokens.
    pub resume_signer: ResumeSigner,
    /// Signs where the audit log's chains stand.
    pub checkpoint_signer: CheckpointSigner,
    /// Seals the spool.
    pub spool_key: SpoolKey,
    /// DTLS certificate and its key.
    pub identity: Arc<Identity>,
    /// Where their files are.
    pub folder: PathBuf,
}

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds no such key.
    #[error("{0} does not hold the key that belongs there; move it away to have a new one made")]
    Invalid(PathBuf),
}

impl NodeKeys {
    /// Reads the keys from `data/keys`, and makes those that are not there.
    pub fn load_or_generate(data: &Path) -> Result<Self, KeyFileError> {
        let folder = data.join("keys");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|source| KeyFileError::Io { path: folder.clone(), source })?;
        Ok(Self {
            tickets: ring(key_file(&folder, "ticket"))?,
            access: ring(key_file(&folder, "access"))?,
            visits: ring(key_file(&folder, "visit"))?,
            resume_signer: signer(key_file(&folder, "resume"))?,
            checkpoint_signer: checkpoint_signer(&folder)?,
            spool_key: spool_key(folder.join("spool.key"))?,
            identity: Arc::new(identity(&folder)?),
            folder,
        })
    }
}

/// The file of the key for one use.
pub fn key_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.ed25519.p8"))
}

fn ring<T: Token>(path: PathBuf) -> Result<KeyRing<T>, KeyFileError> {
    KeyRing::of(signer(path.clone())?).map_err(|_| KeyFileError::Invalid(path))
}

fn signer<T: Token>(path: PathBuf) -> Result<Signer<T>, KeyFileError> {
    let invalid = |_| KeyFileError::Invalid(path.clone());
    if let Some(der) = read(&path)? {
        return Signer::from_pkcs8(&der).map_err(invalid);
    }
    let signer = Signer::generate().map_err(invalid)?;
    write_secret(&path, &signer.to_pkcs8().map_err(invalid)?)?;
    Ok(signer)
}

/// With the public key beside it, which is what an auditor needs.
fn checkpoint_signer(folder: &Path) -> Result<CheckpointSigner, KeyFileError> {
    let path = folder.join("audit.ed25519.p8");
    let invalid = |_| KeyFileError::Invalid(path.clone());
    if let Some(der) = read(&path)? {
        return CheckpointSigner::from_pkcs8(&der).map_err(invalid);
    }
    let signer = CheckpointSigner::generate().map_err(invalid)?;
    write_secret(&folder.join("audit.public"), format!("{}\n", signer.public_line()).as_bytes())?;
    write_secret(&path, &signer.to_pkcs8().map_err(invalid)?)?;
    Ok(signer)
}

fn spool_key(path: PathBuf) -> Result<SpoolKey, KeyFileError> {
    if let Some(bytes) = read(&path)?.map(Zeroizing::new) {
        return SpoolKey::from_bytes(&bytes).ok_or(KeyFileError::Invalid(path));
    }
    let key = SpoolKey::draw();
    write_secret(&path, key.reveal())?;
    Ok(key)
}

fn identity(folder: &Path) -> Result<Identity, KeyFileError> {
    let (certificate, key) = (folder.join("dtls.certificate.der"), folder.join("dtls.key.p8"));
    if let (Some(certificate_der), Some(key_der)) = (read(&certificate)?, read(&key)?) {
        return Identity::from_der(&certificate_der, &key_der).map_err(|_| KeyFileError::Invalid(key));
    }
    let identity = Identity::generate();
    write_secret(&certificate, identity.certificate_der())?;
    write_secret(&key, identity.private_key_der())?;
    Ok(identity)
}

/// What a file holds; nothing where there is none.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, KeyFileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(KeyFileError::Io { path: path.to_owned(), source }),
    }
}

/// Writes a file that only its owner may read, whole or not at all.
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    whole_file::put(path, bytes).map_err(|source| KeyFileError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_survive_a_restart_and_nobody_else_reads_them() {
        let data = tempfile::tempdir().expect("a temporary folder");
        let first = NodeKeys::load_or_generate(data.path()).expect("new keys");
        let second = NodeKeys::load_or_generate(data.path()).expect("the same keys");
        assert_eq!(first.tickets.signer.public_key(), second.tickets.signer.public_key());
        assert_eq!(first.identity.fingerprint(), second.identity.fingerprint());
        assert_ne!(first.tickets.signer.public_key(), first.resume_signer.public_key());
        assert_ne!(first.tickets.signer.public_key(), first.access.signer.public_key());
        assert_eq!(first.access.signer.public_key(), second.access.signer.public_key());
        assert_ne!(first.access.signer.public_key(), first.visits.signer.public_key());
        assert_eq!(first.visits.signer.public_key(), second.visits.signer.public_key());
        let mode =
            fs::metadata(data.path().join("keys/dtls.key.p8")).expect("the key file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_key_is_an_error_and_is_left_as_it_is() {
        let data = tempfile::tempdir().expect("a temporary folder");
        NodeKeys::load_or_generate(data.path()).expect("new keys");
        let path = data.path().join("keys/ticket.ed25519.p8");
        fs::write(&path, b"not a key").expect("the file can be written");
        assert!(matches!(NodeKeys::load_or_generate(data.path()), Err(KeyFileError::Invalid(_))));
        assert_eq!(fs::read(&path).expect("still there"), b"not a key");
    }
}
