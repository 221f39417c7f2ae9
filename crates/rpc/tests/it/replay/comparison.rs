//! What makes an answer the same as another.
//!
//! As in Hive's simulator `rpc-compat`, which these tests are written for: members of objects have no order, and of an answer
//! that depends on who gives it only the shape is compared. It leaves the text of an error free; here that is compared, too,
//! because clients recognise errors by it.

use serde_json::Value;

/// Longest part of a value in a message.
const SHOWN: usize = 200;

/// Where two responses differ.
pub fn responses(have: &Value, want: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    differ(have, want, "", &mut differences);
    differences
}

/// As [`responses`], of simulated blocks. The state of one that is only imagined has no root here, so that the hash of such a
/// block is another. Wherever it stands, as a parent's, a log's or what `BLOCKHASH` gave, its block is compared instead.
pub fn simulations(have: &Value, want: &Value) -> Vec<String> {
    let [have, want] = [have, want].map(|response| {
        let mut response = response.clone();
        let blocks = response["result"].as_array_mut().into_iter().flatten();
        for block in blocks.filter(|block| digits_of_hash(&block["stateRoot"]).is_some()) {
            block["stateRoot"] = Value::from("a root");
        }
        let mut text = response.to_string();
        let blocks = response["result"].as_array().into_iter().flatten();
        for (index, block) in blocks.enumerate() {
            if let Some(hash) = digits_of_hash(&block["hash"]) {
                text = text.replace(hash, &format!("{index:~>64}"));
            }
        }
        serde_json::from_str(&text).unwrap()
    });
    responses(&have, &want)
}

fn digits_of_hash(value: &Value) -> Option<&str> {
    let digits = value.as_str()?.strip_prefix("0x")?;
    let is_hash = digits.len() == 64 && digits.bytes().all(|each| each.is_ascii_hexdigit());
    is_hash.then_some(digits)
}

fn differ(have: &Value, want: &Value, path: &str, differences: &mut Vec<String>) {
    match (have, want) {
        (Value::Object(have), Value::Object(want)) => {
            let mut names: Vec<_> = have.keys().chain(want.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let path = format!("{path}/{name}");
                match (have.get(name), want.get(name)) {
                    (Some(have), Some(want)) => differ(have, want, &path, differences),
                    (Some(have), None) => {
                        differences.push(format!("{path}: have {}, want none", shown(have)));
                    }
                    (None, want) => {
                        let want = want.map(shown).unwrap_or_default();
                        differences.push(format!("{path}: have none, want {want}"));
                    }
                }
            }
        }
        (Value::Array(have), Value::Array(want)) if have.len() == want.len() => {
            for (index, (have, want)) in have.iter().zip(want).enumerate() {
                differ(have, want, &format!("{path}/{index}"), differences);
            }
        }
        _ if have == want => {}
        _ => differences.push(format!(
            "{path}: have {}, want {}",
            shown(have),
            shown(want)
        )),
    }
}

/// Where the shape of a response is another. More may be there than is wanted: whether it may is for the specification to say,
/// which `tests/clients/with_openrpc.py` reads.
pub fn shapes(have: &Value, want: &Value) -> Vec<String> {
    match misshapen(have, want, "") {
        Ok(()) => Vec::new(),
        Err(difference) => vec![difference],
    }
}

/// An item of a list has the shape of some item of the other, and so has a member of an object whose names are data.
fn misshapen(have: &Value, want: &Value, path: &str) -> Result<(), String> {
    let like_any = |each: &Value, wanted: &mut dyn Iterator<Item = &Value>, path: &str| {
        let mut reasons = Vec::new();
        for want in wanted {
            match misshapen(each, want, path) {
                Ok(()) => return Ok(()),
                Err(reason) => reasons.push(reason),
            }
        }
        if reasons.is_empty() {
            // There is nothing to be like.
            return Ok(());
        }
        reasons.dedup();
        Err(reasons.join(", or "))
    };
    match (have, want) {
        (Value::Object(have), Value::Object(want)) => {
            for (name, each) in have {
                let path = format!("{path}/{name}");
                if is_data(name) {
                    like_any(each, &mut want.values(), &path)?;
                } else if let Some(want) = want.get(name) {
                    misshapen(each, want, &path)?;
                }
            }
            match want
                .keys()
                .find(|name| !is_data(name) && !have.contains_key(*name))
            {
                Some(absent) => Err(format!("{path}/{absent} is not there")),
                None => Ok(()),
            }
        }
        (Value::Array(have), Value::Array(want)) => {
            for (index, each) in have.iter().enumerate() {
                like_any(each, &mut want.iter(), &format!("{path}/{index}"))?;
            }
            Ok(())
        }
        _ if std::mem::discriminant(have) == std::mem::discriminant(want) => Ok(()),
        _ => Err(format!(
            "{path}: have {}, want {}",
            shown(have),
            shown(want)
        )),
    }
}

/// An address, a slot, a nonce.
fn is_data(name: &str) -> bool {
    name.starts_with("0x") || name.bytes().all(|each| each.is_ascii_digit())
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_difference_is_found() {
        let want = json!({"id": 1, "result": {"a": [1, 2], "b": null}});
        assert!(responses(&want, &want).is_empty());
        for (have, difference) in [
            (
                json!({"id": 1, "result": {"a": [1, 3], "b": null}}),
                "/result/a/1: have 3, want 2",
            ),
            (
                json!({"id": 1, "result": {"a": [1, 2]}}),
                "/result/b: have none, want null",
            ),
            (
                json!({"id": 1, "result": {"a": [1], "b": null}}),
                "/result/a: have [1], want [1,2]",
            ),
        ] {
            assert_eq!(responses(&have, &want), [difference]);
        }
        let more = json!({"id": 1, "result": {"a": [1, 2], "b": null, "c": {}}});
        assert_eq!(responses(&more, &want), ["/result/c: have {}, want none"]);
    }

    #[test]
    fn imagined_hashes_count_by_their_block() {
        let answer = |first: char, second: char, parent: char| {
            let hash = |digit: char| format!("0x{}", digit.to_string().repeat(64));
            json!({"result": [
                {"hash": hash(first), "stateRoot": hash('0'), "mixHash": hash('0')},
                {"hash": hash(second), "stateRoot": hash(second), "parentHash": hash(parent)},
            ]})
        };
        let want = answer('a', 'b', 'a');
        assert!(simulations(&answer('c', 'd', 'c'), &want).is_empty());
        assert_eq!(simulations(&answer('c', 'd', 'd'), &want).len(), 1);
        assert_eq!(simulations(&answer('c', 'd', 'a'), &want).len(), 1);
    }

    #[test]
    fn shapes_have_the_same_members() {
        let want = json!({"result": {"0x01": [{"pc": 1, "op": "ADD"}, {"pc": 2}], "none": {}}});
        for (have, fits) in [
            (json!({"result": {"0x02": [{"pc": 7}], "none": {}}}), true),
            (json!({"result": {"0x02": [], "none": {}, "more": 1}}), true),
            (
                json!({"result": {"0x02": [{"pc": "7"}], "none": {}}}),
                false,
            ),
            (json!({"result": {"0x02": []}}), false),
            (json!({"error": {}}), false),
        ] {
            assert_eq!(shapes(&have, &want).is_empty(), fits, "{have}");
        }
    }
}
