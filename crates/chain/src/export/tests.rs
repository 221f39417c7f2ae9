use super::{ExportError, Finality, Head, Part, Reader, Source, SourceError, Writer, survey};
use crate::{alias::Finalization, alias::Scheme};
use alloy_primitives::{Address, B256, U256};
use commonware_consensus::{
    simplex::types::{Finalize, Proposal},
    types::{Epoch, Round, View},
};
use commonware_cryptography::{
    Digestible as _, Signer as _,
    bls12381::{
        dkg::feldman_desmedt,
        primitives::{sharing::Mode, variant::MinSig},
    },
    ed25519,
};
use commonware_parallel::Sequential;
use commonware_runtime::{Runner as _, Supervisor as _, buffer::paged::CacheRef, deterministic};
use commonware_utils::{N3f1, NZU64, NZUsize, TryCollect as _, non_empty, ordered::Set, test_rng};
use proptest::prelude::*;
use state::{Database, Import, Key, Value, open_genesis};
use std::{collections::BTreeMap, sync::LazyLock};
use types::{
    Block, ChainSpec, Committee, Digest, Fees, Fork, GenesisAccount, Limits, Namespace, Pacing,
    PublicKey,
};

/// A network that signs what it is told to.
struct Network {
    spec: ChainSpec,
    players: Set<PublicKey>,
    output: feldman_desmedt::Output<MinSig, PublicKey>,
    shares: Vec<crate::Share>,
}

impl Network {
    fn new(accounts: BTreeMap<Address, GenesisAccount>) -> Self {
        let key = |seed| ed25519::PrivateKey::from_seed(seed).public_key();
        let players: Set<_> = (0..4).map(key).try_collect().unwrap();
        let (output, shares) = feldman_desmedt::deal::<MinSig, _, N3f1>(
            test_rng(),
            Mode::NonZeroCounter,
            players.clone(),
        )
        .unwrap();
        let spec = ChainSpec {
            name: "old".to_owned(),
            chain_id: 7001,
            fork: Fork::Osaka,
            dev: true,
            time_ms: 1_700_000_000_000,
            fees: Fees::Free,
            limits: Limits {
                block_gas: 100_000_000,
            },
            pacing: Pacing {
                idle_interval_ms: 1000,
                min_gap_ms: 5,
                settle_interval_ms: 50,
            },
            epoch_blocks: NZU64!(32),
            committee: Committee::new(output.clone()).encode(),
            accounts,
            origin: None,
        };
        Self {
            spec,
            players,
            output,
            shares: shares.values().to_vec(),
        }
    }

    fn certificate(&self, genesis: &Digest, block: Digest) -> Finalization {
        let namespace = Namespace::new(self.spec.chain_id, genesis);
        let signer = |share: &crate::Share| {
            let (players, public) = (self.players.clone(), self.output.public().clone());
            Scheme::signer(namespace.as_bytes(), players, public, share.clone()).unwrap()
        };
        let schemes: Vec<_> = self.shares.iter().map(signer).collect();
        let round = Round::new(Epoch::zero(), View::new(3));
        let proposal = Proposal::new(round, View::new(2), block);
        let votes: Vec<_> = schemes
            .iter()
            .map(|scheme| Finalize::sign(scheme, proposal.clone()).unwrap())
            .collect();
        Finalization::from_finalizes(&schemes[0], non_empty![@votes.iter()], &Sequential).unwrap()
    }
}

fn pages() -> CacheRef {
    CacheRef::new(crate::PAGE_BYTES, NZUsize!(256))
}

/// Contracts and accounts, more than a piece of them.
fn accounts() -> BTreeMap<Address, GenesisAccount> {
    let account = |index: u16| {
        let slots =
            (0..index % 7).map(|slot| (U256::from(slot), U256::from(index) + U256::from(1)));
        let account = GenesisAccount {
            balance: U256::from(index),
            nonce: 1,
            code: vec![index as u8; usize::from(index % 300)].into(),
            storage: slots.collect(),
        };
        (Address::with_last_byte(index as u8), account)
    };
    (1..=250).map(account).collect()
}

/// An export of a state of three pieces, certified by a later block, and its entries.
struct Sample {
    file: Vec<u8>,
    entries: Vec<(Key, Value)>,
    digest: B256,
    identity: String,
}

static SAMPLE: LazyLock<Sample> = LazyLock::new(|| {
    let network = Network::new(accounts());
    deterministic::Runner::default().start(|context| async move {
        let genesis = open_genesis(context.child("genesis"), "n", &network.spec, pages()).await;
        let genesis = genesis.unwrap();
        let head = Head {
            chain_id: network.spec.chain_id,
            genesis: genesis.hash(),
            identity: network.spec.committee().unwrap().identity(),
            header: genesis.header().clone(),
            extension: genesis.extension().clone(),
        };
        let source = Source::open(context.child("db"), "n", &head, false).await;
        let source = source.unwrap();
        let child = alloy_consensus::Header {
            parent_hash: genesis.hash(),
            number: 1,
            ..Block::header_template()
        };
        let certified = Digest::from(child.hash_slow().0);
        let finality = Finality {
            headers: vec![child],
            certificate: network.certificate(&genesis.digest(), certified),
        };
        let (mut next, end) = head.operations();
        let mut writer = Writer::begin(Vec::new(), &head, &finality).unwrap();
        let (mut entries, mut pieces) = (Vec::new(), 0);
        while next < end {
            let piece = source.piece(next).await.unwrap();
            writer.piece(&piece).unwrap();
            entries.extend(piece.entries().unwrap());
            next = piece.end();
            pieces += 1;
        }
        assert!(pieces > 1, "{pieces}");
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (file, counts, digest) = writer.end().unwrap();
        assert_eq!(counts.accounts, 250);
        assert_eq!(counts.entries, entries.len() as u64);
        Sample {
            file,
            entries,
            digest,
            identity: head.identity_hex(),
        }
    })
});

fn verify(file: &[u8]) -> Result<B256, ExportError> {
    let whole = Reader::begin(file)?.verify(&mut test_rng(), |_, _| {})?;
    Ok(whole.digest)
}

#[test]
fn what_was_written_is_read_and_proved() {
    let sample = &*SAMPLE;
    assert_eq!(verify(&sample.file).unwrap(), sample.digest);
    let reader = Reader::begin(sample.file.as_slice()).unwrap();
    reader.head().pin(&sample.identity).unwrap();
    let other = reader.head().pin("0x00").unwrap_err();
    assert!(matches!(other, ExportError::OtherNetwork { .. }), "{other}");
    let (low, whole) = reader.entries(0..=u64::MAX / 3).unwrap();
    assert_eq!(whole.digest, sample.digest);
    let reader = Reader::begin(sample.file.as_slice()).unwrap();
    let (high, _) = reader.entries(u64::MAX / 3 + 1..=u64::MAX).unwrap();
    assert!(!low.is_empty() && !high.is_empty());
    assert_eq!([low, high].concat(), sample.entries);
}

#[test]
fn each_wrong_part_is_named() {
    let sample = &*SAMPLE;
    let with = |at: usize, byte: u8| {
        let mut file = sample.file.clone();
        file[at] = byte;
        verify(&file).unwrap_err()
    };
    assert!(matches!(with(0, b'b'), ExportError::NoExport));
    let format = with(14, b'2');
    assert!(matches!(&format, ExportError::Format(said) if said == "ashlar-export/2"));
    let last = sample.file.len() - 1;
    let digest = with(last, sample.file[last] ^ 1);
    assert!(matches!(digest, ExportError::Digest { .. }), "{digest}");
    let longer = [sample.file.as_slice(), &[0]].concat();
    let longer = verify(&longer).unwrap_err();
    assert!(longer.to_string().contains("follows its end"), "{longer}");
    let cut = verify(&sample.file[..last]).unwrap_err();
    assert!(matches!(cut, ExportError::Cut { .. }), "{cut}");
}

/// With a digest of its own it is whole, but proves nothing: so it is with a piece that is left out, or of another state.
#[test]
fn a_forged_export_is_refused() {
    let sample = &*SAMPLE;
    let reader = Reader::begin(sample.file.as_slice()).unwrap();
    let (head, finality) = (reader.head().clone(), reader.finality().clone());
    let mut pieces = Vec::new();
    let mut reader = Some(reader);
    while let Some(one) = reader.take() {
        if let (next, Part::Piece(piece)) = one.next().unwrap() {
            pieces.push(piece);
            reader = next;
        }
    }
    let forge = |head: &Head, pieces: &[state::Piece]| {
        let mut writer = Writer::begin(Vec::new(), head, &finality).unwrap();
        for piece in pieces {
            writer.piece(piece).unwrap();
        }
        let (file, _, _) = writer.end().unwrap();
        verify(&file).unwrap_err()
    };
    let shorter = forge(&head, &pieces[..pieces.len() - 1]);
    assert!(matches!(shorter, ExportError::Cut { .. }), "{shorter}");
    let gap = forge(&head, &pieces[1..]);
    assert!(matches!(gap, ExportError::Damaged(_)), "{gap}");
    let mut other = head.clone();
    other.header.state_root = B256::repeat_byte(1);
    let other = forge(&other, &pieces);
    assert!(matches!(other, ExportError::NotFinal(_)), "{other}");
    let mut elsewhere = head.clone();
    elsewhere.chain_id += 1;
    let elsewhere = forge(&elsewhere, &pieces);
    assert!(matches!(elsewhere, ExportError::NotFinal(_)), "{elsewhere}");
    let other = Network::new(BTreeMap::from([(
        Address::with_last_byte(1),
        GenesisAccount {
            balance: U256::from(1),
            ..GenesisAccount::default()
        },
    )]));
    let foreign = deterministic::Runner::default().start(|context| async move {
        open_genesis(context.child("genesis"), "n", &other.spec, pages())
            .await
            .unwrap();
        let layout = state::config("n-state", pages());
        let database = Database::init(context.child("db"), layout, None).await;
        state::Piece::read(&database.unwrap(), 0).await.unwrap()
    });
    assert!(foreign.verify(&head.state_root()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_flipped_bit_is_refused(at in 0..SAMPLE.file.len(), bit in 0..8_u32) {
        let mut file = SAMPLE.file.clone();
        file[at] ^= 1 << bit;
        prop_assert!(verify(&file).is_err());
    }

    /// Most of a file are pieces: its beginning is looked at closely.
    #[test]
    fn a_flipped_bit_in_the_beginning_is_refused(at in 0..2_600_usize, bit in 0..8_u32) {
        let mut file = SAMPLE.file.clone();
        file[at] ^= 1 << bit;
        prop_assert!(verify(&file).is_err());
    }

    #[test]
    fn what_is_cut_short_is_refused(length in 0..SAMPLE.file.len()) {
        let cut = verify(&SAMPLE.file[..length]).unwrap_err();
        prop_assert!(matches!(cut, ExportError::Cut { .. }), "{}", cut);
    }

    #[test]
    fn noise_is_refused(noise in proptest::collection::vec(any::<u8>(), 0..4_096)) {
        prop_assert!(verify(&noise).is_err());
        let file = [b"ashlar-export/1\n".as_slice(), &noise].concat();
        prop_assert!(verify(&file).is_err());
    }
}

#[test]
fn the_same_export_makes_the_same_block_0() {
    deterministic::Runner::default().start(|context| async move {
        let entries = &SAMPLE.entries;
        let mut made = Vec::new();
        for (name, batches) in [("a", 1), ("b", 1)] {
            let import = Import::begin(context.child("import"), name, pages()).await;
            let mut import = import.unwrap();
            for batch in entries.chunks(entries.len().div_ceil(batches)) {
                import = import.write(batch.iter().cloned()).await.unwrap();
            }
            made.push(import.finish(SAMPLE.digest, Vec::new()).await.unwrap());
        }
        assert_eq!(made[0], made[1]);
    });
}

#[test]
fn a_directory_without_a_chain_gives_no_export() {
    let network = Network::new(BTreeMap::new());
    deterministic::Runner::default().start(|context| async move {
        let found = survey(&context, "n", &network.spec, NZU64!(64), None).await;
        assert!(matches!(found, Err(SourceError::Empty)), "{found:?}");
        open_genesis(context.child("genesis"), "n", &network.spec, pages())
            .await
            .unwrap();
        let found = survey(&context, "n", &network.spec, NZU64!(64), None).await;
        assert!(matches!(found, Err(SourceError::Empty)), "{found:?}");
    });
}
