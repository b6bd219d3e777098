//! Tokens and keys that are not as they have to be: each is refused, and says what to mend.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use control_api::keys::{
    KeyFault, KeyName, KeyVersion, MasterKeys, PinSource, Purpose, TokenMasterKeys, Whose, Wrapped,
};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    mechanism::Mechanism,
    object::{Attribute, KeyType, ObjectClass},
    session::UserType,
    types::AuthPin,
};

use crate::{
    softhsm::{PIN, library},
    token::{Token, keys_with_pin},
};

/// The token of keys that are no master keys.
pub const TOKEN: &str = "odd";

/// Makes them. Before anybody else has loaded the library.
pub fn keys() {
    let module = Pkcs11::new(library()).expect("the library");
    module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).expect("it begins");
    let is_odd = |slot| module.get_token_info(slot).is_ok_and(|info| info.label().trim_end() == TOKEN);
    let slots = module.get_slots_with_token().expect("slots");
    let slot = slots.into_iter().find(|slot| is_odd(*slot)).expect("the token");
    let session = module.open_rw_session(slot).expect("a session");
    session.login(UserType::User, Some(&AuthPin::new(PIN.into()))).expect("the PIN");
    let make = |label: &str, bytes: u64, is_sensitive: bool, is_extractable: bool| {
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::ValueLen(bytes.into()),
            Attribute::Label(label.as_bytes().to_vec()),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(is_sensitive),
            Attribute::Extractable(is_extractable),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
        ];
        session.generate_key(&Mechanism::AesKeyGen, &template).expect("a key");
    };
    make("good", 32, true, false);
    make("exportable", 32, true, true);
    make("readable", 32, false, false);
    make("short", 16, true, false);
    make("twice", 32, true, false);
    make("twice", 32, true, false);
    let known = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Value((0..32).collect()),
        Attribute::Label(b"known".to_vec()),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
    ];
    session.create_object(&known).expect("a key");
    drop(session);
    module.finalize().expect("it ends");
}

#[tokio::test]
async fn what_a_token_s_key_wrapped_years_ago_unwraps() {
    // Made by another implementation (Node's `crypto`) from the description in `envelope.rs`.
    const WRAPPED: &str = "01070000000201010101010101010101010157e2c7164ca04e41fc7d4d33344a7cf7fb5fbde8a5b620eb\
                           cbe23dd7a134c00e4b5e0d9170b9039c0d88995ee3c178f7";
    let pin = Token::new("beside the known").pin_file(PIN);
    let master = keys_with_pin(TOKEN, &["known"], &pin).expect("good settings");
    let name = KeyName {
        tenant: "north".parse().expect("a tenant"),
        purpose: Purpose::Sealing,
        version: KeyVersion::new(2).expect("not zero"),
    };
    let digits = (0..WRAPPED.len()).step_by(2);
    let bytes = digits.map(|i| u8::from_str_radix(&WRAPPED[i..i + 2], 16).expect("hexadecimal")).collect();
    let wrapped = Wrapped::new(master.newest(), bytes).expect("short enough");
    let key = master.unwrap(name, &wrapped).await.expect("unwrapped");
    assert_eq!(key.reveal().to_vec(), (32..64).collect::<Vec<u8>>());
}

async fn refusal(master: &TokenMasterKeys) -> String {
    let fault = master.check().await.expect_err("refused");
    assert_eq!(fault.whose(), Whose::Operator, "{fault}");
    fault.to_string()
}

#[tokio::test]
async fn keys_that_can_be_taken_out_or_are_no_aes_256_are_refused() {
    let pin = Token::new("beside the odd").pin_file(PIN);
    let of = |labels: &[&str]| keys_with_pin(TOKEN, labels, &pin).expect("good settings");
    assert_eq!(of(&["good"]).check().await, Ok(()));
    for (label, said) in [
        ("exportable", "can be taken out"),
        ("readable", "can be taken out"),
        ("short", "no AES key of 256 bits"),
        ("twice", "not the only one"),
        ("nowhere", "`consilium master-key create` makes it"),
    ] {
        for labels in [&[label][..], &["good", label]] {
            let refused = refusal(&of(labels)).await;
            assert!(refused.contains(said) && refused.contains(&format!("`{label}`")), "{refused}");
        }
    }
}

#[tokio::test]
async fn a_library_that_is_not_there_or_is_none_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = folder.path().join("lib.so");
    fs::write(&text, "no library").expect("a file");
    for library in [&text, Path::new("/nowhere/lib.so")] {
        let pin = PinSource::Variable("CONSILIUM_NO_SUCH_PIN".to_owned());
        let master = TokenMasterKeys::new(library, "t", &["k".to_owned()], pin).expect("good settings");
        let refused = refusal(&master).await;
        assert!(refused.contains("cannot be loaded") && refused.contains("lib.so"), "{refused}");
    }
}

#[tokio::test]
async fn a_token_that_is_not_there_may_come_and_those_that_are_there_are_named() {
    let pin = Token::new("somewhere").pin_file(PIN);
    let fault = keys_with_pin("nowhere", &["k"], &pin).expect("good settings").check().await;
    let Err(KeyFault::MasterUnavailable { reason }) = fault else { panic!("{fault:?}") };
    assert!(reason.contains("token nowhere: it is not there") && reason.contains("`somewhere`"), "{reason}");
}

#[tokio::test]
async fn a_pin_that_is_wrong_is_tried_once() {
    let (token, _) = Token::with_keys("wrong pin", &["k"]).await;
    // The login above is the process's: a token that went away asks anew.
    token.set_away(true);
    let file = token.pin_file("0000");
    let wrong = keys_with_pin("wrong pin", &["k"], &file).expect("good settings");
    assert_eq!(wrong.check().await.map_err(|fault| fault.whose()), Err(Whose::KeyService));
    token.set_away(false);
    let refused = refusal(&wrong).await;
    assert!(refused.contains("refuses the PIN (C_Login: CKR_PIN_INCORRECT)"), "{refused}");
    assert!(!refused.contains("0000"), "{refused}");
    // Now the right one is there, and is not looked at before somebody says so.
    fs::write(&file, PIN).expect("a file");
    assert_eq!(refusal(&wrong).await, refused);
    let again = keys_with_pin("wrong pin", &["k"], &file).expect("good settings");
    assert_eq!(again.check().await, Ok(()));
}

#[tokio::test]
async fn a_pin_that_others_may_read_or_that_is_none_is_not_tried() {
    let (token, _) = Token::with_keys("open pin", &["k"]).await;
    token.set_away(true);
    let file = token.pin_file(PIN);
    let of_file = || keys_with_pin("open pin", &["k"], &file).expect("good settings");
    assert!(of_file().check().await.is_err());
    token.set_away(false);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("a mode");
    assert!(refusal(&of_file()).await.contains("0644"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).expect("a mode");
    for text in ["", "\n", "one\ntwo\n"] {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode");
        fs::write(&file, text).expect("a file");
        assert!(refusal(&of_file()).await.contains("one line, the PIN"), "{text:?}");
    }
    let variable = PinSource::Variable("CONSILIUM_NO_SUCH_PIN".to_owned());
    let of_variable = TokenMasterKeys::new(&library(), "open pin", &["k".to_owned()], variable);
    let refused = refusal(&of_variable.expect("good settings")).await;
    assert!(refused.contains("CONSILIUM_NO_SUCH_PIN"), "{refused}");
}
