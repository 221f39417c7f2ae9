//! `docs/receipt.md` says what the code does: its constants, limits and worked example.

use crate::valid::{self, batch};
use alloy_primitives::hex;
use proof::{
    Header, RECORDS, content::content_digest, finalization, format, header_hash, inclusion, leaf,
    namespace, node, path,
};

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/receipt.md");
    std::fs::read_to_string(path).unwrap()
}

/// Asserts that the document has these words, whatever the white space between them.
fn says(document: &str, words: &str) {
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        squeeze(document).contains(&squeeze(words)),
        "the document does not say: {words}"
    );
}

#[test]
fn constants_and_limits() {
    let document = document();
    for constant in [
        path::LEAF_DOMAIN,
        path::NODE_DOMAIN,
        inclusion::RECORDED_TOPIC,
    ] {
        says(&document, &format!("`{constant}`"));
    }
    says(&document, &format!("`0x{}`", hex::encode(RECORDS)));
    says(&document, std::str::from_utf8(finalization::DST).unwrap());
    assert_eq!(format::FORMAT, "ashlar-receipt/1");
    let limit = |what: &str, limit: &str| says(&document, &format!("| {what} | {limit} |"));
    assert_eq!(format::FILE_BYTES_MAX, 4_194_304);
    limit("the file, either encoding", "4,194,304 bytes");
    assert_eq!(format::INTEGER_MAX, 9_007_199_254_740_991);
    limit("every integer", "2^53 − 1");
    limit("`headers`", &format!("1 to {}", format::HEADERS_MAX));
    limit(
        "`inclusion.proof`",
        &format!("1 to {} nodes", format::NODES_MAX),
    );
    assert_eq!(format::PROOF_BYTES_MAX, 1_048_576);
    limit(
        "`headers` and `inclusion.proof` together",
        "1,048,576 bytes (decoded)",
    );
    limit("`path.siblings`", &format::SIBLINGS_MAX.to_string());
    assert_eq!(
        (format::BODY_BYTES_MAX, proof::canonical::DEPTH_MAX),
        (1_048_576, 64)
    );
    limit(
        "`content.body` in canonical form",
        "1,048,576 bytes; nested 64 levels",
    );
    limit(
        "`content.attachments`",
        &format::ATTACHMENTS_MAX.to_string(),
    );
}

#[test]
fn worked_example() {
    let document = section(&document(), "## 8. A worked example", "## 9.").to_owned();
    let receipt = batch(2, 1).receipt();
    let path = &receipt.record.as_ref().unwrap().path;
    let content = receipt.record.as_ref().unwrap().content.as_ref().unwrap();
    let header = Header::decode(&receipt.headers[0]).unwrap();
    let leaf = leaf(&path.id, &path.commitment);
    let root = node(&path.siblings[0], &leaf);
    for (name, value) in [
        ("sha256(body)", content_digest(&content.body)),
        ("salt", content.salt),
        ("commitment", path.commitment),
        ("id", path.id),
        ("leaf", leaf),
        ("sibling", path.siblings[0]),
        ("root", root),
        ("receipts root", header.receipts_root),
        ("block hash", header_hash(&receipt.headers[0])),
        ("genesis", receipt.network.genesis),
    ] {
        says(&document, &format!("{name} {}", hex::encode(value)));
    }
    says(
        &document,
        &format!("body {}", std::str::from_utf8(&content.body).unwrap()),
    );

    // The dumps: what stands on the left, put together, is the bytes.
    let namespace = namespace(receipt.network.chain_id, &receipt.network.genesis);
    let signed = finalization::signed_bytes(&namespace, &receipt.finalization, &header.hash);
    let part = section(&document, "signed ", "signature ");
    assert_eq!(
        left_column(part.trim_start_matches("signed")),
        hex::encode(signed)
    );
    let part = section(&document, "signature ", "identity  ");
    let signature = left_column(part.trim_start_matches("signature"));
    assert_eq!(signature, hex::encode(receipt.finalization.signature));
    let part = section(&document, "identity  ", "```");
    assert_eq!(
        left_column(part.trim_start_matches("identity")),
        hex::encode(receipt.network.identity)
    );

    let dump = left_column(section(&document, "a7   ", "```"));
    assert_abbreviates(&dump, &hex::encode(receipt.to_cbor()));
    let dump = left_column(section(&document, "f901f1   ", "receipts root "));
    assert_abbreviates(&dump, &hex::encode(&receipt.inclusion.proof[0]));
    says(&document, "The CBOR form, 1,548 bytes");
    assert_eq!(
        (receipt.to_cbor().len(), receipt.headers[0].len()),
        (1548, 641)
    );
}

/// The sizes it promises.
#[test]
fn sizes() {
    let size = |name: &str| {
        let vector = valid::all()
            .into_iter()
            .find(|vector| vector.name == name)
            .unwrap();
        vector.receipt.to_cbor().len()
    };
    assert!(
        (1_900..2_000).contains(&size("record")),
        "2.0 kB: {}",
        size("record")
    );
    assert!(
        (1_400..1_450).contains(&size("record-erased")),
        "1.4 kB: {}",
        size("record-erased")
    );
}

/// From `start`, at the beginning of a line, to the next `end` at the beginning of one.
fn section<'a>(document: &'a str, start: &str, end: &str) -> &'a str {
    let from = document.find(&format!("\n{start}")).unwrap() + 1;
    let length = document[from..].find(&format!("\n{end}")).unwrap();
    &document[from..from + length]
}

/// The hex digits, and `…`, before what is said about them, which two spaces or more set off.
fn left_column(dump: &str) -> String {
    let column = |line: &str| {
        let text = line
            .trim_start()
            .split("  ")
            .next()
            .unwrap_or_default()
            .to_owned();
        text.replace(' ', "")
    };
    dump.lines().map(column).collect()
}

/// Checks that `full` is `dump` with something in place of each `…`.
fn assert_abbreviates(dump: &str, full: &str) {
    let mut rest = full;
    for (position, piece) in dump.split('…').enumerate() {
        let at = rest
            .find(piece)
            .unwrap_or_else(|| panic!("{piece} is not in what is left: {rest}"));
        assert!(position > 0 || at == 0, "starts otherwise");
        rest = &rest[at + piece.len()..];
    }
    assert_eq!(rest, "", "the dump ends early");
}
