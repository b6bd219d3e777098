//! The tokens of this process.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use control_api::keys::{KeyFault, MasterKeys, PinSource, TokenMasterKeys};

use crate::{
    odd,
    softhsm::{PIN, SoftHsm, library},
};

/// Nobody makes a token while another one goes or comes.
fn hsm() -> MutexGuard<'static, SoftHsm> {
    static HSM: OnceLock<Mutex<SoftHsm>> = OnceLock::new();
    let hsm = HSM.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("softhsm");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        let hsm = SoftHsm::within(&folder);
        // SAFETY: what reads the environment beside std, which has a lock of its own, is the library: nobody has loaded it yet.
        unsafe { env::set_var("SOFTHSM2_CONF", hsm.configuration()) };
        hsm.token(odd::TOKEN);
        odd::keys();
        Mutex::new(hsm)
    });
    hsm.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A token of SoftHSM's, which no other test uses.
pub struct Token {
    label: String,
    folder: PathBuf,
}

impl Token {
    /// One without keys. The label is the test's.
    pub fn new(label: &str) -> Self {
        let folder = hsm().token(label);
        Self { label: label.to_owned(), folder }
    }

    /// One with these keys, made as the command does.
    pub async fn with_keys(label: &str, keys: &[&str]) -> (Self, TokenMasterKeys) {
        let token = Self::new(label);
        let master = token.keys(keys);
        for name in master.names() {
            master.make(&name).await.expect("a key");
        }
        (token, master)
    }

    /// Its keys as somebody has them who was just started.
    pub fn keys(&self, keys: &[&str]) -> TokenMasterKeys {
        keys_with_pin(&self.label, keys, &self.pin_file(PIN)).expect("good settings")
    }

    /// A file with a PIN, for this token.
    pub fn pin_file(&self, pin: &str) -> PathBuf {
        let file = self.beside(&format!("pin-{}", pin.len()));
        write_secret(&file, &format!("{pin}\n"));
        file
    }

    /// A place of its own where no token is looked for.
    fn beside(&self, what: &str) -> PathBuf {
        let folder = self.folder.parent().and_then(Path::parent).expect("the folder of all this");
        folder.join(format!("{}.{what}", self.label))
    }

    /// Takes it away, or brings it back.
    pub fn set_away(&self, is_away: bool) {
        let _nobody_else = hsm();
        let elsewhere = self.beside("away");
        let (from, to) = if is_away { (&self.folder, &elsewhere) } else { (&elsewhere, &self.folder) };
        fs::rename(from, to).expect("the token's folder");
    }
}

pub fn keys_with_pin(token: &str, keys: &[&str], pin_file: &Path) -> Result<TokenMasterKeys, KeyFault> {
    let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
    TokenMasterKeys::new(&library(), token, &keys, PinSource::File(pin_file.to_owned()))
}

pub fn write_secret(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a mode");
}
