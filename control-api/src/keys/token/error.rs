//! What a token answers where it does not do as it is told.

use cryptoki::error::{Error, RvError};

use super::super::KeyFault;

/// `CKR_AEAD_DECRYPT_FAILED` of PKCS #11 3.0.
const AEAD_DECRYPT_FAILED: u64 = 0x42;

/// Why something was not done in a token.
#[derive(Debug)]
pub enum TokenError {
    /// Nothing says that it will fail again: the token is gone, or was, or does not answer.
    Lost(String),
    /// Token, keys or PIN are not as they have to be.
    Misconfigured(String),
    /// It failed before the token was asked.
    Fault(KeyFault),
}

impl TokenError {
    pub fn into_fault(self, token: &str) -> KeyFault {
        match self {
            Self::Lost(reason) => KeyFault::MasterUnavailable { reason: format!("token {token}: {reason}") },
            Self::Misconfigured(reason) => {
                KeyFault::MasterMisconfigured { reason: format!("token {token}: {reason}") }
            }
            Self::Fault(fault) => fault,
        }
    }
}

impl From<Error> for TokenError {
    fn from(error: Error) -> Self {
        let is_for_good = match &error {
            Error::Pkcs11(answer, _) => matches!(
                answer,
                RvError::MechanismInvalid
                    | RvError::MechanismParamInvalid
                    | RvError::KeyTypeInconsistent
                    | RvError::KeyFunctionNotPermitted
                    | RvError::KeySizeRange
                    | RvError::FunctionNotSupported
                    | RvError::AttributeTypeInvalid
                    | RvError::AttributeValueInvalid
                    | RvError::TemplateIncomplete
                    | RvError::TemplateInconsistent
                    | RvError::TokenWriteProtected
            ),
            Error::NullFunctionPointer | Error::NotSupported => true,
            _ => false,
        };
        if is_for_good {
            Self::Misconfigured(format!("it cannot do what is asked of it ({})", answer_of(&error)))
        } else {
            Self::Lost(answer_of(&error))
        }
    }
}

/// Which call failed, and by which code, as manuals have them: `C_Login: CKR_PIN_INCORRECT`.
pub fn answer_of(error: &Error) -> String {
    let Error::Pkcs11(answer, function) = error else { return error.to_string() };
    let mut code = String::from("CKR");
    for letter in format!("{answer:?}").chars() {
        if letter.is_ascii_uppercase() {
            code.push('_');
        }
        code.push(letter.to_ascii_uppercase());
    }
    format!("C_{function:?}: {code}")
}

/// What a token says of a PIN that it does not take, and may count.
pub fn is_about_the_pin(error: &Error) -> bool {
    let Error::Pkcs11(answer, _) = error else { return false };
    matches!(
        answer,
        RvError::PinIncorrect
            | RvError::PinInvalid
            | RvError::PinLenRange
            | RvError::PinExpired
            | RvError::PinLocked
    )
}

/// What a token says where the bytes are not what it encrypted; some only say that it went wrong.
pub enum Undecrypted {
    /// These are not the bytes.
    NotAuthentic,
    /// These are not the bytes, or it is the token.
    Either(TokenError),
}

impl From<Error> for Undecrypted {
    fn from(error: Error) -> Self {
        match &error {
            Error::Pkcs11(
                RvError::EncryptedDataInvalid
                | RvError::EncryptedDataLenRange
                | RvError::DataInvalid
                | RvError::SignatureInvalid
                | RvError::UnknownErrorCode(AEAD_DECRYPT_FAILED),
                _,
            ) => Self::NotAuthentic,
            _ => Self::Either(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;

    use super::*;

    #[test]
    fn answers_are_named_as_manuals_have_them() {
        let answer = |answer, function| answer_of(&Error::Pkcs11(answer, function));
        assert_eq!(answer(RvError::PinIncorrect, Function::Login), "C_Login: CKR_PIN_INCORRECT");
        let vendor = answer(RvError::VendorDefined(0x8000_0001), Function::OpenSession);
        assert_eq!(vendor, "C_OpenSession: CKR_VENDOR_DEFINED(2147483649)");
    }
}
