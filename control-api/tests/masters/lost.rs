//! A token goes away and comes back.

use control_api::keys::{KeyMaterial, KeyName, KeyVersion, MasterKeys, Purpose, Whose};

use crate::token::Token;

#[tokio::test]
async fn a_token_that_is_lost_is_asked_again_when_it_is_back() {
    let (token, master) = Token::with_keys("lost", &["2026", "2025"]).await;
    let name = KeyName {
        tenant: "north".parse().expect("a tenant"),
        purpose: Purpose::Index,
        version: KeyVersion::FIRST,
    };
    let key = KeyMaterial::draw();
    let wrapped = master.wrap(name, &key).await.expect("wrapped");
    for _ in 0..3 {
        token.set_away(true);
        for _ in 0..2 {
            let fault = master.unwrap(name, &wrapped).await.map(|_| ()).expect_err("nobody is there");
            assert_eq!(fault.whose(), Whose::KeyService, "{fault}");
            let fault = master.wrap(name, &key).await.expect_err("nobody is there");
            assert_eq!(fault.whose(), Whose::KeyService, "{fault}");
        }
        token.set_away(false);
        assert_eq!(master.unwrap(name, &wrapped).await.expect("at once").reveal(), key.reveal());
    }
}

#[tokio::test]
async fn a_token_that_is_lost_takes_no_other_with_it() {
    let (lost, _) = Token::with_keys("lost beside", &["k"]).await;
    let (_, other) = Token::with_keys("there", &["k"]).await;
    assert_eq!(other.check().await, Ok(()));
    lost.set_away(true);
    assert!(lost.keys(&["k"]).check().await.is_err());
    assert_eq!(other.check().await, Ok(()));
    lost.set_away(false);
    assert_eq!(lost.keys(&["k"]).check().await, Ok(()));
    assert_eq!(other.check().await, Ok(()));
}

#[tokio::test]
async fn many_who_ask_at_once_are_all_answered() {
    let (_, master) = Token::with_keys("many", &["k"]).await;
    let name = KeyName {
        tenant: "north".parse().expect("a tenant"),
        purpose: Purpose::Sealing,
        version: KeyVersion::FIRST,
    };
    let key = KeyMaterial::draw();
    let wrapped = master.wrap(name, &key).await.expect("wrapped");
    let asked = (0..200).map(|_| master.unwrap(name, &wrapped));
    for opened in futures_util::future::join_all(asked).await {
        assert_eq!(opened.expect("answered").reveal(), key.reveal());
    }
}
