use proptest::prelude::*;

use super::*;

fn key(bytes: [u8; 32]) -> Option<SecretKey> {
    SecretKey::from_bytes(&bytes).ok()
}

#[test]
fn a_preimage_is_signed_by_its_hash() {
    let message = Message::preimage(*b"shipment");
    assert_eq!(message.digest, keccak256("shipment"));
    assert_eq!(Message::digest(message.digest).digest, message.digest);
}

#[tokio::test]
async fn a_known_key_signs_as_everybody_does() {
    // The vector of EIP-155: its key, the digest of its transaction, and its signature.
    let key: Key = key([0x46; 32]).unwrap().into();
    let digest = "0xdaf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53";
    let message = Message::digest(digest.parse().unwrap());
    let signature = key.sign(&message).await.unwrap();
    assert_eq!(
        (signature.r(), signature.s(), signature.v()),
        (
            uint!(0x28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276_U256),
            uint!(0x67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83_U256),
            false
        )
    );
    assert_eq!(
        format!("{key:?}"),
        "Key { kind: Memory, address: 0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f, .. }"
    );
}

proptest! {
    #[test]
    fn both_forms_of_a_signature_become_the_low_one(
        bytes in any::<[u8; 32]>(),
        digest in any::<[u8; 32]>(),
        other in any::<[u8; 32]>(),
    ) {
        let Some(key) = key(bytes) else { return Ok(()) };
        let (address, digest) = (key.address(), B256::from(digest));
        let (r, s) = key.sign(&digest);
        let low = recoverable(address, &digest, r, s).unwrap();
        prop_assert!(low.s() <= ORDER >> 1);
        prop_assert_eq!(recoverable(address, &digest, r, ORDER - s), Some(low));
        prop_assert_eq!(low.recover_address_from_prehash(&digest).unwrap(), address);

        prop_assume!(digest != other);
        prop_assert_eq!(recoverable(address, &other.into(), r, s), None);
        prop_assert_eq!(recoverable(Address::repeat_byte(1), &digest, r, s), None);
        prop_assert_eq!(recoverable(address, &digest, r, s ^ U256::ONE), None);
        for odd in [U256::ZERO, ORDER, U256::MAX] {
            prop_assert_eq!(recoverable(address, &digest, odd, s), None);
            prop_assert_eq!(recoverable(address, &digest, r, odd), None);
        }
    }
}
