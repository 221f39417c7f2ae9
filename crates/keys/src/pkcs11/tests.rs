//! Against SoftHSM2, whose tokens are made here. Its library keeps one state for the whole process, so this is one test.

use std::{fs, time::Duration};

use alloy_primitives::keccak256;
use cryptoki::types::AuthPin;

use super::*;
use crate::{Message, SignError};

const PIN: &str = "4711-4711";
const LIBRARIES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];
/// secp256r1, which is not the curve of Ethereum: the object identifier 1.2.840.10045.3.1.7 in DER.
const SECP256R1: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// A folder for tokens, and the library that keeps them there.
fn softhsm() -> Option<(tempfile::TempDir, Library)> {
    let Some(path) = LIBRARIES.iter().map(Path::new).find(|path| path.exists()) else {
        assert!(
            std::env::var_os("ASHLAR_REQUIRE_SOFTHSM").is_none(),
            "SoftHSM2 is missing: apt-get install softhsm2"
        );
        eprintln!("SoftHSM2 is missing (apt-get install softhsm2): PKCS#11 was NOT tested");
        return None;
    };
    let home = tempfile::tempdir().unwrap();
    let tokens = home.path().join("tokens");
    fs::create_dir(&tokens).unwrap();
    let conf = home.path().join("softhsm2.conf");
    fs::write(
        &conf,
        format!("directories.tokendir = {}\n", tokens.display()),
    )
    .unwrap();
    // SAFETY: no other test of this crate reads or writes the environment.
    #[allow(
        unsafe_code,
        reason = "SoftHSM2 takes its configuration from the environment only"
    )]
    unsafe {
        std::env::set_var("SOFTHSM2_CONF", conf);
    }
    let library = Library::open(path).unwrap();
    let twice = Library::open(path).unwrap_err();
    assert!(twice.to_string().contains("is opened once only"), "{twice}");
    Some((home, library))
}

/// A new token whose user has the PIN.
fn token(library: &Library, label: &str) -> Slot {
    let slot = *library.0.get_all_slots().unwrap().last().unwrap();
    let officer = AuthPin::from("officer-1");
    library.0.init_token(slot, &officer, label).unwrap();
    let slot = called(library, label);
    let session = library.0.open_rw_session(slot).unwrap();
    session.login(UserType::So, Some(&officer)).unwrap();
    session.init_pin(&AuthPin::from(PIN)).unwrap();
    slot
}

/// The slot of a token; it has another number after a while.
fn called(library: &Library, label: &str) -> Slot {
    let slots = library.0.get_slots_with_initialized_token().unwrap();
    let labelled = |slot: &Slot| library.0.get_token_info(*slot).unwrap().label() == label;
    slots.into_iter().rfind(labelled).unwrap()
}

/// A session that may make keys.
fn maker(library: &Library, slot: Slot) -> Session {
    let session = library.0.open_rw_session(slot).unwrap();
    match session.login(UserType::User, Some(&AuthPin::from(PIN))) {
        Ok(()) | Err(Cryptoki::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => session,
        Err(error) => panic!("{error}"),
    }
}

fn generate(session: &Session, label: &str, curve: &[u8]) -> [ObjectHandle; 2] {
    let label = || Attribute::Label(label.as_bytes().to_vec());
    let public = [
        Attribute::Token(true),
        Attribute::EcParams(curve.to_vec()),
        label(),
    ];
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        label(),
    ];
    let pair = session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private);
    let (public, private) = pair.unwrap();
    [public, private]
}

async fn open(library: &Library, token: &str, label: &str) -> Result<Key, DeviceError> {
    let pin = Secret::new(PIN);
    library.key(token, label, pin, TIMEOUT_DEFAULT).await
}

#[track_caller]
fn says(opened: Result<Key, DeviceError>, expected: &str) {
    let error = opened.unwrap_err().to_string();
    assert!(error.contains(expected) && !error.contains(PIN), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_signs_and_says_why_it_does_not() {
    let Some((_home, library)) = softhsm() else {
        return;
    };
    let slot = token(&library, "ashlar");
    let making = maker(&library, slot);
    let halves = generate(&making, "relayer", &SECP256K1);
    let key = open(&library, "ashlar", "relayer").await.unwrap();
    assert_eq!(key.kind().to_string(), "pkcs11");
    // A device draws a new nonce each time: half of its signatures have a high s, and half of all an odd parity.
    let (mut high, mut odd) = (0, 0);
    for index in 0..64_u64 {
        let message = Message::digest(keccak256(index.to_be_bytes()));
        let signature = key.sign(&message).await.unwrap();
        let digest = keccak256(index.to_be_bytes());
        assert_eq!(
            signature.recover_address_from_prehash(&digest).unwrap(),
            key.address()
        );
        assert!(signature.normalize_s().is_none(), "s is low");
        odd += u32::from(signature.v());
        let raw = making
            .sign(&Mechanism::Ecdsa, halves[1], digest.as_slice())
            .unwrap();
        high += u32::from(U256::from_be_slice(&raw[32..]) > crate::key::ORDER >> 1);
    }
    assert!(high > 8 && odd > 8 && odd < 56, "{high} {odd}");

    says(
        open(&library, "other", "relayer").await,
        "no token is called \"other\"",
    );
    says(
        open(&library, "ashlar", "other").await,
        "has no private key called \"other\"",
    );
    generate(&making, "p256", &SECP256R1);
    says(
        open(&library, "ashlar", "p256").await,
        "is not on secp256k1",
    );
    let [public, _] = generate(&making, "half", &SECP256K1);
    making.destroy_object(public).unwrap();
    says(
        open(&library, "ashlar", "half").await,
        "has no public key called \"half\"",
    );
    generate(&making, "twin", &SECP256K1);
    generate(&making, "twin", &SECP256K1);
    says(
        open(&library, "ashlar", "twin").await,
        "has several private keys called \"twin\"",
    );

    // All sessions close, and a wrong key comes in the place of the right one.
    let message = Message::preimage(*b"shipment");
    let expected = key.address();
    lose_sessions(&library, making);
    assert_eq!(
        key.sign(&message)
            .await
            .unwrap()
            .recover_address_from_prehash(&keccak256("shipment"))
            .unwrap(),
        expected
    );
    let making = maker(&library, called(&library, "ashlar"));
    let renamed = generate(&making, "replacement", &SECP256K1);
    // What it is called is all that is left of it: handles end with their sessions.
    let relayer = Attribute::Label(b"relayer".to_vec());
    for half in making.find_objects(std::slice::from_ref(&relayer)).unwrap() {
        making.destroy_object(half).unwrap();
    }
    for half in renamed {
        making
            .update_attributes(half, std::slice::from_ref(&relayer))
            .unwrap();
    }
    let error = key.sign(&message).await.unwrap_err();
    assert!(
        matches!(error, SignError::Device(DeviceError::Replaced { .. })),
        "{error}"
    );

    drop(making);
    drop(key);
    pins(&library).await;
    busy(&library).await;
    token(&library, "ashlar");
    says(
        open(&library, "ashlar", "relayer").await,
        "2 tokens are called \"ashlar\"",
    );
}

/// As when a device was reset: none of the sessions is there any more.
fn lose_sessions(library: &Library, making: Session) {
    drop(making);
    library.0.clone().finalize().unwrap();
    let args = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    library.0.initialize(args).unwrap();
}

/// A wrong PIN is tried once, however often it is asked for.
async fn pins(library: &Library) {
    let slot = token(library, "pins");
    generate(&maker(library, slot), "key", &SECP256K1);
    let wrong = library.key("pins", "key", Secret::new("0000-0000"), TIMEOUT_DEFAULT);
    says(wrong.await, "refused the PIN");
    let mut seat = Seat {
        library: library.0.clone(),
        token: "pins".to_owned(),
        label: "key".to_owned(),
        pin: Secret::new("0000-0000"),
        pin_refused: false,
        address: None,
        open: None,
    };
    for _ in 0..20 {
        assert!(matches!(seat.address(), Err(DeviceError::PinRefused)));
        seat.pin = Secret::new(PIN);
    }
    seat.pin_refused = false;
    seat.address().unwrap();
}

/// Whoever waits for a device that hangs is told so, and it works again when it does not hang any more.
async fn busy(library: &Library) {
    let pin = Secret::new(PIN);
    let key = library
        .key("pins", "key", pin, TIMEOUT_DEFAULT)
        .await
        .unwrap();
    let timeout = Duration::from_millis(100);
    let at = Arc::clone(&key.seat().at);
    let hurried = Key::device(key.address(), Device { at, timeout });
    let (release, held) = std::sync::mpsc::channel::<()>();
    let hung = hurried.seat().call(move |_| {
        // Until the channel closes.
        let _ = held.recv();
        Ok(())
    });
    assert!(matches!(hung.await, Err(DeviceError::TimedOut { .. })));
    let message = Message::preimage(*b"shipment");
    let error = hurried.sign(&message).await.unwrap_err();
    assert!(
        error.is_retryable() && error.to_string().contains("within 0.1s"),
        "{error}"
    );
    drop(release);
    key.sign(&message).await.unwrap();
}

impl Key {
    fn seat(&self) -> &Device {
        match &self.place {
            crate::key::Place::Device(device) => device,
            _ => panic!("not in a device"),
        }
    }
}
