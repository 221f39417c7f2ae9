use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// The two vectors of the Web3 Secret Storage Definition: both hold this key under this password.
const SECRET: &str = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
const PASSWORD: &str = "testpassword";
const PBKDF2: &str = r#"{
    "crypto" : {
        "cipher" : "aes-128-ctr",
        "cipherparams" : { "iv" : "6087dab2f9fdbbfaddc31a909735c1e6" },
        "ciphertext" : "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf" : "pbkdf2",
        "kdfparams" : {
            "c" : 262144, "dklen" : 32, "prf" : "hmac-sha256",
            "salt" : "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"
        },
        "mac" : "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"
    },
    "id" : "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version" : 3
}"#;
const SCRYPT: &str = r#"{
    "crypto" : {
        "cipher" : "aes-128-ctr",
        "cipherparams" : { "iv" : "83dbcc02d8ccb40e466191a123791e0e" },
        "ciphertext" : "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf" : "scrypt",
        "kdfparams" : {
            "dklen" : 32, "n" : 262144, "p" : 8, "r" : 1,
            "salt" : "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"
        },
        "mac" : "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"
    },
    "id" : "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version" : 3
}"#;

fn password() -> Secret {
    Secret::new(PASSWORD)
}

/// A key that costs nothing to open, and its file.
fn cheap() -> (SecretKey, Value) {
    let key = SecretKey::random(&mut rand::rng());
    let keystore = Keystore::encrypt_at(Cost::NONE, &key, &password(), &mut rand::rng());
    let file = serde_json::from_str(&keystore.unwrap().to_json()).unwrap();
    (key, file)
}

fn open(file: &Value) -> Result<SecretKey, Error> {
    Keystore::parse(file.to_string().as_bytes())?.open(&password())
}

#[test]
fn the_vectors_of_the_definition_open() {
    for file in [PBKDF2, SCRYPT] {
        let keystore = Keystore::parse(file.as_bytes()).unwrap();
        assert_eq!(keystore.address().unwrap(), None);
        let key = keystore.open(&password()).unwrap();
        assert_eq!(hex::encode(key.to_bytes().as_slice()), SECRET);
        assert_eq!(
            key.address().to_string().to_lowercase(),
            "0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b"
        );
    }
}

#[test]
fn a_new_keystore_costs_what_geths_cost() {
    let key = SecretKey::random(&mut rand::rng());
    let keystore = Keystore::encrypt(&key, &password(), &mut rand::rng()).unwrap();
    let file: Value = serde_json::from_str(&keystore.to_json()).unwrap();
    let cost = &file["crypto"]["kdfparams"];
    assert_eq!(
        (&cost["n"], &cost["r"], &cost["p"]),
        (&json!(262_144), &json!(8), &json!(1))
    );
    assert_eq!(open(&file).unwrap().to_bytes(), key.to_bytes());
    let id = file["id"].as_str().unwrap();
    assert!(id.len() == 36 && &id[14..15] == "4", "{id}");
}

#[test]
fn a_short_password_makes_no_keystore() {
    let key = SecretKey::random(&mut rand::rng());
    let short = Keystore::encrypt(&key, &Secret::new("hunter2"), &mut rand::rng());
    assert!(matches!(short, Err(Error::WeakPassword { bytes: 7 })));
}

#[test]
fn nothing_shows_the_key_or_the_password() {
    let (key, file) = cheap();
    let secret = hex::encode(key.to_bytes().as_slice());
    let wrong = Keystore::parse(file.to_string().as_bytes())
        .unwrap()
        .open(&Secret::new("hunter2-hunter2"));
    for shown in [
        format!("{key:?} {:?}", password()),
        format!("{wrong:?} {}", wrong.as_ref().unwrap_err()),
        file.to_string(),
    ] {
        for hidden in [&secret, PASSWORD, "hunter2"] {
            assert!(!shown.to_lowercase().contains(hidden), "{shown}");
        }
    }
}

/// What is done to a file, and what opening it says.
#[test]
fn each_field_that_is_not_as_it_must_be_is_named() {
    let scrypt = |field: &str, value: Value| (format!("/crypto/kdfparams/{field}"), value);
    let at = |path: &str, value: Value| (path.to_owned(), value);
    for ((path, value), expected) in [
        (at("/version", json!(1)), "keystore of version 1"),
        (at("/version", json!("3")), "another type"),
        (at("/id", json!(3)), "another type"),
        (at("/address", json!("0x12")), "address is not 20 bytes"),
        (at("/crypto", Value::Null), "another type"),
        (at("/crypto/cipher", json!("aes-128-cbc")), "another cipher"),
        (at("/crypto/cipherparams", json!({})), "a field is missing"),
        (
            at("/crypto/cipherparams/iv", json!("00")),
            "iv is not 16 bytes",
        ),
        (
            at("/crypto/ciphertext", json!("00")),
            "ciphertext is not 32 bytes",
        ),
        (at("/crypto/mac", json!("zz")), "mac is not 32 bytes"),
        (at("/crypto/kdf", json!("argon2id")), "a field is missing"),
        (at("/crypto/kdf", json!("pbkdf2")), "a field is missing"),
        (scrypt("dklen", json!(16)), "dklen is not 32"),
        (scrypt("dklen", json!(u64::MAX)), "dklen is not 32"),
        (scrypt("salt", json!("0")), "salt is not hexadecimal"),
        (scrypt("salt", json!("00".repeat(257))), "salt is too long"),
        (scrypt("n", json!(0)), "n is not a power of two"),
        (scrypt("n", json!(1)), "n is not a power of two"),
        (scrypt("n", json!(3)), "n is not a power of two"),
        (scrypt("n", json!(-2)), "another type"),
        (
            scrypt("n", json!(1_u64 << 19)),
            "its memory for scrypt (128·n·r bytes) is 536870912",
        ),
        (
            scrypt("n", json!(1_u64 << 63)),
            "its memory for scrypt (128·n·r bytes)",
        ),
        (scrypt("r", json!(0)), "r is zero"),
        (
            scrypt("r", json!(u64::MAX)),
            "its memory for scrypt (128·n·r bytes)",
        ),
        (scrypt("p", json!(0)), "p is zero"),
        (
            scrypt("p", json!(1 << 19)),
            "its memory for scrypt (128·p·r bytes)",
        ),
        (
            scrypt("p", json!(u64::MAX)),
            "its memory for scrypt (128·p·r bytes)",
        ),
    ] {
        let (_, mut file) = cheap();
        *file.pointer_mut(&path).unwrap() = value;
        let error = Keystore::parse(file.to_string().as_bytes()).unwrap_err();
        assert!(error.to_string().contains(expected), "{path}: {error}");
    }
    // Little memory, but for hours.
    let (_, mut file) = cheap();
    file["crypto"]["kdfparams"]["n"] = json!(1 << 18);
    file["crypto"]["kdfparams"]["p"] = json!(1 << 10);
    let error = open(&file).unwrap_err().to_string();
    assert!(error.contains("its work of scrypt (n·r·p) is"), "{error}");
}

#[test]
fn pbkdf2_is_bounded_too() {
    for (field, value, expected) in [
        ("c", json!(0), "c is zero"),
        (
            "c",
            json!(10_000_001),
            "its c (iterations) is 10000001, and 10000000",
        ),
        ("c", json!(u64::MAX), "its c (iterations) is"),
        ("prf", json!("hmac-md5"), "prf is not hmac-sha256"),
        ("dklen", json!(64), "dklen is not 32"),
    ] {
        let mut file: Value = serde_json::from_str(PBKDF2).unwrap();
        file["crypto"]["kdfparams"][field] = value;
        let error = open(&file).unwrap_err().to_string();
        assert!(error.contains(expected), "{field}: {error}");
    }
}

#[test]
fn what_is_no_keystore_is_refused() {
    for content in ["", "{", "[]", "null", "{\"version\": 3}", "\u{feff}{}"] {
        let error = Keystore::parse(content.as_bytes()).unwrap_err();
        assert!(
            matches!(error, Error::Malformed { .. }),
            "{content}: {error}"
        );
    }
    let twice = PBKDF2.replacen("\"id\"", "\"version\": 3, \"id\"", 1);
    assert!(Keystore::parse(twice.as_bytes()).is_err());
    let long = format!("{PBKDF2}{}", " ".repeat(Keystore::BYTES_MAX));
    assert!(Keystore::parse(long.as_bytes()).is_err());
    assert!(Keystore::parse(&[0xff; 100]).is_err());
}

#[test]
fn a_file_that_names_another_account_is_not_used() {
    let (key, mut file) = cheap();
    file["address"] = json!("0x00000000000000000000000000000000000000aa");
    let error = open(&file).unwrap_err();
    assert!(
        matches!(error, Error::Address { actual, .. } if actual == key.address()),
        "{error}"
    );
    // Without one, and in the upper case of some old programs, it opens.
    file.as_object_mut().unwrap().remove("address");
    let crypto = file["crypto"].take();
    let old = json!({ "Crypto": crypto, "id": file["id"], "version": 3 });
    assert_eq!(open(&old).unwrap().address(), key.address());
}

#[test]
fn what_decrypts_to_no_key_is_refused() {
    let (_, mut file) = cheap();
    let keystore = Keystore::parse(file.to_string().as_bytes()).unwrap();
    let derived = keystore.crypto.kdf.derive(&password()).unwrap();
    let iv = bytes(&keystore.crypto.cipherparams.iv, "iv").unwrap();
    let mut text = [0; 32];
    apply_cipher(&derived, &iv, &mut text);
    file["crypto"]["ciphertext"] = json!(hex::encode(text));
    file["crypto"]["mac"] = json!(hex::encode(mac(&derived, &text)));
    assert!(matches!(open(&file), Err(Error::NoKey)));
}

/// Texts of a file in which each digit counts.
const SEALED: [&str; 4] = [
    "/crypto/ciphertext",
    "/crypto/mac",
    "/crypto/kdfparams/salt",
    "/crypto/cipherparams/iv",
];

proptest! {
    #[test]
    fn a_key_comes_back_with_its_password_only(
        bytes in any::<[u8; 32]>(),
        password in prop::collection::vec(any::<u8>(), 0..80),
        other in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let Ok(key) = SecretKey::from_bytes(&bytes) else { return Ok(()) };
        // A password of HMAC is padded with zeros: these are one.
        let padded = |password: &[u8]| [password, &[0; 64]].concat()[..64.max(password.len())].to_vec();
        prop_assume!(padded(&password) != padded(&other));
        let (password, other) = (Secret::new(password), Secret::new(other));
        let keystore = Keystore::encrypt_at(Cost::NONE, &key, &password, &mut rand::rng()).unwrap();
        let again = Keystore::parse(keystore.to_json().as_bytes()).unwrap();
        prop_assert_eq!(again.address().unwrap(), Some(key.address()));
        prop_assert_eq!(again.open(&password).unwrap().to_bytes(), key.to_bytes());
        prop_assert!(matches!(again.open(&other), Err(Error::WrongPassword)));
    }

    #[test]
    fn a_changed_digit_is_found(
        field in prop::sample::select(&SEALED[..]),
        at in any::<prop::sample::Index>(),
        by in 1..16_u8,
    ) {
        let (key, mut file) = cheap();
        let text = file.pointer_mut(field).unwrap();
        let mut digits = text.as_str().unwrap().to_owned().into_bytes();
        let at = at.index(digits.len());
        let digit = (digits[at] as char).to_digit(16).unwrap() as u8 ^ by;
        digits[at] = b"0123456789abcdef"[usize::from(digit)];
        *text = json!(String::from_utf8(digits).unwrap());
        match open(&file) {
            // The MAC leaves the initial counter out; the address does not.
            Err(Error::Address { actual, .. }) => {
                prop_assert!(field.ends_with("iv") && actual != key.address());
            }
            Err(Error::NoKey) => prop_assert!(field.ends_with("iv")),
            other => prop_assert!(!field.ends_with("iv") && matches!(other, Err(Error::WrongPassword))),
        }
    }

    #[test]
    fn no_bytes_make_it_panic(content in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Keystore::parse(&content).is_err());
    }
}
