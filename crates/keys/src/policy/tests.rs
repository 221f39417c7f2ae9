use proptest::prelude::*;

use super::*;

const POLICY: &str = r#"
chains = [4242, 1]
gas_max = 2_000_000
fee_max = "0.05ether"
value_max = "2ether"

[[allow]]
name = "token"
to = "0x00000000000000000000000000000000000000aa"
functions = ["transfer(address,uint256)", "0x095ea7b3"]

[[allow]]
name = "carrier"
to = "0x00000000000000000000000000000000000000bb"
functions = ["*"]
transfers = true
value_max = "1.5ether"

[[limit]]
name = "day"
window = "24h"
value = "3ether"
calls = 5

[[limit]]
name = "hour"
window = "1h"
calls = 3

[[hours]]
name = "office"
days = ["mon", "tue", "wed", "thu", "fri"]
from = "06:00"
until = "20:00"

[[hours]]
name = "sunday"
days = ["sun"]
from = "23:30"
until = "24:00"

[[approval]]
name = "much"
value_from = "1ether"
of = ["alice", "bob", "carol"]
needed = 2

[[approval]]
name = "allowance"
functions = ["approve(address,uint256)"]
of = ["dora"]
needed = 1
"#;

/// Monday, 2026-11-23, 12:00.
const NOON: u64 = 1_795_435_200;
const ETHER: u64 = 1_000_000_000_000_000_000;

fn policy() -> Policy {
    Policy::from_toml(POLICY).unwrap()
}

fn person(name: &str) -> Person {
    name.parse().unwrap()
}

fn people(names: &[&str]) -> BTreeSet<Person> {
    names.iter().map(|name| person(name)).collect()
}

/// A call of `transfer` that is allowed.
fn call() -> Request {
    Request {
        chain_id: Some(4242),
        to: Some(Address::with_last_byte(0xaa)),
        value: U256::ZERO,
        data: Data::of(&[0xa9, 0x05, 0x9c, 0xbb, 0, 0]),
        gas: 100_000,
        fee: U256::from(ETHER / 100),
        asker: person("alice"),
    }
}

/// A payment to the carrier.
fn payment(value: u64) -> Request {
    Request {
        to: Some(Address::with_last_byte(0xbb)),
        data: Data::None,
        value: U256::from(value),
        ..call()
    }
}

fn judged(request: &Request, approved: &[&str], now: u64) -> Verdict {
    policy().judge(&Spent::default(), request, &people(approved), now)
}

/// The rule that refuses, and why; neither for what is allowed.
fn refusal(request: &Request, now: u64) -> (String, String) {
    match judged(request, &[], now) {
        Verdict::Refused { rule, reason } => (rule, reason),
        Verdict::Allowed => Default::default(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_no_rule_allows_is_refused_by_name() {
    assert_eq!(judged(&call(), &[], NOON), Verdict::Allowed);
    assert_eq!(judged(&payment(ETHER / 2), &[], NOON), Verdict::Allowed);
    let with = |change: fn(&mut Request)| {
        let mut request = call();
        change(&mut request);
        refusal(&request, NOON)
    };
    for (change, rule, reason) in [
        (
            (|one| one.chain_id = None) as fn(&mut Request),
            "chains",
            "names no network",
        ),
        (
            |one| one.chain_id = Some(5),
            "chains",
            "chain id 5 is not among them",
        ),
        (
            |one| one.gas = 2_000_001,
            "gas_max",
            "2000001 is more than 2000000",
        ),
        (
            |one| one.fee = U256::from(ETHER / 20 + 1),
            "fee_max",
            "50000000000000001 wei are more",
        ),
        (
            |one| one.value = U256::MAX,
            "value_max",
            "wei are more than 2000000000000000000",
        ),
        (
            |one| one.to = None,
            "allow",
            "none allows making a contract",
        ),
        (
            |one| one.to = Some(Address::ZERO),
            "allow",
            "none allows function 0xa9059cbb of 0x0000",
        ),
        (
            |one| one.data = Data::None,
            "allow",
            "none allows a transfer to 0x0000",
        ),
        (
            |one| one.data = Data::Short,
            "allow",
            "none allows data without a function",
        ),
        (
            |one| one.data = Data::of(&[1, 2, 3, 4]),
            "allow",
            "none allows function 0x01020304",
        ),
    ] {
        let refused = with(change);
        assert!(
            refused.0 == rule && refused.1.contains(reason),
            "{refused:?}"
        );
    }
    let (rule, reason) = refusal(&payment(ETHER / 2 * 3 + 1), NOON);
    assert!(rule == "carrier" && reason.contains("are more than 1500000000000000000"));
    // Any function includes what selects none.
    let short = Request {
        data: Data::of(&[1]),
        ..payment(0)
    };
    assert_eq!(judged(&short, &[], NOON), Verdict::Allowed);
}

#[test]
fn a_function_by_name_is_its_selector() {
    let functions = "functions = [\"transfer(address,uint256)\", \"0x095ea7b3\"]";
    assert!(POLICY.contains(functions));
    let approve = Request {
        data: Data::of(&[0x09, 0x5e, 0xa7, 0xb3]),
        ..call()
    };
    let verdict = judged(&approve, &["dora"], NOON);
    assert_eq!(verdict, Verdict::Allowed);
}

#[test]
fn hours_are_those_of_utc() {
    let (hour, day) = (3600, 86_400);
    let monday = NOON - 12 * hour;
    for (now, open) in [
        (monday + 6 * hour - 1, false),
        (monday + 6 * hour, true),
        (monday + 20 * hour - 1, true),
        (monday + 20 * hour, false),
        (NOON + 4 * day, true),
        (NOON + 5 * day, false),
        (NOON + 6 * day, false),
        (monday + 6 * day + 23 * hour + 1799, false),
        (monday + 6 * day + 23 * hour + 1800, true),
        (monday + 7 * day - 1, true),
        (monday + 7 * day, false),
        // The first day of Unix time was a Thursday.
        (12 * hour, true),
        (2 * day + 12 * hour, false),
    ] {
        let (rule, reason) = refusal(&call(), now);
        assert_eq!(rule.is_empty(), open, "{now}");
        assert!(open || (rule == "hours" && reason == "it is none of: office, sunday"));
    }
}

#[test]
fn others_must_approve_and_whoever_asks_does_not_count() {
    let needs = |missing: usize, from: &[&str]| Verdict::NeedsApprovals {
        rule: "much".to_owned(),
        missing,
        from: from.iter().map(|name| person(name)).collect(),
    };
    let much = payment(ETHER);
    assert_eq!(judged(&payment(ETHER - 1), &[], NOON), Verdict::Allowed);
    assert_eq!(judged(&much, &[], NOON), needs(2, &["bob", "carol"]));
    // Alice asks.
    assert_eq!(judged(&much, &["alice", "bob"], NOON), needs(1, &["carol"]));
    assert_eq!(
        judged(&much, &["mallory", "dora", "bob"], NOON),
        needs(1, &["carol"])
    );
    assert_eq!(judged(&much, &["bob", "carol"], NOON), Verdict::Allowed);
    let of_another = Request {
        asker: person("eve"),
        ..much
    };
    assert_eq!(
        judged(&of_another, &["alice"], NOON),
        needs(1, &["bob", "carol"])
    );
    assert_eq!(
        judged(&of_another, &["alice", "carol"], NOON),
        Verdict::Allowed
    );

    // Two rules: both must be content, and one that never can be is said first.
    let approve = Request {
        data: Data::of(&[0x09, 0x5e, 0xa7, 0xb3]),
        ..call()
    };
    let mut both = Request {
        value: U256::from(ETHER),
        ..approve
    };
    assert_eq!(judged(&both, &["dora"], NOON), needs(2, &["bob", "carol"]));
    both.asker = person("dora");
    let verdict = judged(&both, &["alice", "bob", "dora"], NOON);
    assert!(
        matches!(&verdict, Verdict::Refused { rule, reason } if rule == "allowance" && reason.contains("only 0 can")),
        "{verdict:?}"
    );
}

#[test]
fn limits_hold_in_each_window() {
    let (policy, mut spent) = (policy(), Spent::default());
    let nobody = BTreeSet::new();
    let mut sign = |request: &Request, now: u64| match policy.judge(&spent, request, &nobody, now) {
        Verdict::Allowed => {
            policy.spend(&mut spent, request, now);
            String::new()
        }
        Verdict::Refused { rule, reason } => format!("{rule}: {reason}"),
        other => panic!("{other:?}"),
    };
    for at in 0..3 {
        assert_eq!(sign(&payment(ETHER - 1), NOON + at), "");
    }
    assert_eq!(
        sign(&call(), NOON + 3),
        "hour: there were 3 calls, and 3 are the most"
    );
    assert_eq!(
        sign(&call(), NOON + 3599),
        "hour: there were 3 calls, and 3 are the most"
    );
    let more = sign(&payment(4), NOON + 3600);
    assert_eq!(
        more,
        format!(
            "day: 4 wei after {} would be more than {}",
            3 * ETHER - 3,
            3 * ETHER
        )
    );
    assert_eq!(sign(&payment(3), NOON + 3600), "");
    // A clock that was set back opens no window anew.
    assert!(sign(&payment(1), NOON - 7200).starts_with("day: 1 wei after"));
    assert_eq!(sign(&call(), NOON + 3601), "");
    assert_eq!(
        sign(&call(), NOON + 7201),
        "day: there were 5 calls, and 5 are the most"
    );
    assert_eq!(
        sign(&payment(ETHER - 1), NOON + 86_400),
        "",
        "the first one is a day ago"
    );
    // What is kept says as much after a restart.
    let text = serde_json::to_string(&spent).unwrap();
    assert_eq!(serde_json::from_str::<Spent>(&text).unwrap(), spent);
    assert_eq!(spent.uses().copied().collect::<Spent>(), spent);
    assert_eq!(spent.uses().count(), 5, "what no limit counts is forgotten");
}

/// What is changed in the policy, and what is said then.
#[test]
fn each_field_is_checked() {
    let without_allow = POLICY.split("[[allow]]").next().unwrap();
    let error = Policy::from_toml(without_allow).unwrap_err().to_string();
    assert!(error.contains("nothing could be signed"), "{error}");
    for (from, to, expected) in [
        (
            "chains = [4242, 1]",
            "chains = []",
            "\"chains\" is not possible: it names none",
        ),
        (
            "chains = [4242, 1]",
            "chains = [0]",
            "no network has chain id 0",
        ),
        ("chains = [4242, 1]", "chains = [-1]", "invalid value"),
        ("chains = [4242, 1]", "", "missing field `chains`"),
        ("gas_max = 2_000_000", "", "missing field `gas_max`"),
        ("gas_max = 2_000_000", "gas_max = \"2\"", "invalid type"),
        ("\"0.05ether\"", "\"0.05 parsec\"", "an amount looks like"),
        ("\"0.05ether\"", "\"-1\"", "an amount looks like"),
        ("\"0.05ether\"", "\"\"", "an amount looks like"),
        ("\"0.05ether\"", "\"ether\"", "an amount looks like"),
        ("\"0.05ether\"", "5", "invalid type"),
        (
            "value_max = \"2ether\"",
            "value_max = \"2ether\"\nvalue_min = \"0\"",
            "unknown field `value_min`",
        ),
        (
            "name = \"token\"",
            "name = \"\"",
            "a name has 1 to 64 bytes",
        ),
        (
            "name = \"token\"",
            "name = \"a\\nb\"",
            "a name has 1 to 64 bytes",
        ),
        (
            "name = \"token\"",
            "name = \"day\"",
            "another rule has that name",
        ),
        (
            "name = \"token\"",
            "name = \"token\"\ncolour = 1",
            "unknown field `colour`",
        ),
        (
            "0x00000000000000000000000000000000000000aa",
            "0x12",
            "invalid",
        ),
        (
            "to = \"0x00000000000000000000000000000000000000aa\"",
            "",
            "need a to",
        ),
        (
            "name = \"token\"",
            "name = \"token\"\ndeploy = true",
            "deploy is a rule of its own",
        ),
        (
            "functions = [\"transfer(address,uint256)\", \"0x095ea7b3\"]",
            "",
            "it allows nothing",
        ),
        (
            "functions = [\"transfer(address,uint256)\", \"0x095ea7b3\"]",
            "deploy = true",
            "a to needs them",
        ),
        (
            "transfer(address,uint256)",
            "transfer(address, uint256)",
            "a function looks like",
        ),
        (
            "transfer(address,uint256)",
            "transfer(address,uint)",
            "a function looks like",
        ),
        (
            "transfer(address,uint256)",
            "transfer(address,uint256",
            "a function looks like",
        ),
        (
            "transfer(address,uint256)",
            "transfer(address))(",
            "a function looks like",
        ),
        (
            "transfer(address,uint256)",
            "transfer()()",
            "a function looks like",
        ),
        (
            "transfer(address,uint256)",
            "transfer",
            "a function looks like",
        ),
        (
            "transfer(address,uint256)",
            "(address)",
            "a function looks like",
        ),
        ("0x095ea7b3", "0x095ea7", "a function looks like"),
        (
            "window = \"24h\"",
            "window = \"0h\"",
            "between one second and 366 days",
        ),
        (
            "window = \"24h\"",
            "window = \"367d\"",
            "between one second and 366 days",
        ),
        (
            "window = \"24h\"",
            "window = \"+1h\"",
            "a window looks like",
        ),
        (
            "window = \"24h\"",
            "window = \"99999999999999999999h\"",
            "a window looks like",
        ),
        (
            "window = \"24h\"",
            "window = \"1 day\"",
            "a window looks like",
        ),
        ("value = \"3ether\"\ncalls = 5", "", "it limits nothing"),
        ("calls = 5", "calls = 100001", "cannot be counted"),
        ("days = [\"sun\"]", "days = []", "one to seven days"),
        (
            "days = [\"sun\"]",
            "days = [\"sunday\"]",
            "unknown variant `sunday`",
        ),
        (
            "from = \"23:30\"",
            "from = \"24:00\"",
            "from is not before until",
        ),
        (
            "from = \"23:30\"",
            "from = \"23:60\"",
            "a time of day looks like",
        ),
        (
            "until = \"24:00\"",
            "until = \"24:01\"",
            "a time of day looks like",
        ),
        (
            "until = \"24:00\"",
            "until = \"noon\"",
            "a time of day looks like",
        ),
        ("needed = 2", "needed = 0", "no approval is needed"),
        ("needed = 2", "needed = 4", "more people than it names"),
        (
            "\"bob\", \"carol\"",
            "\"bob\", \"bob\"",
            "somebody is named twice",
        ),
        (
            "\"bob\", \"carol\"",
            "\"bob\", \"car ol\"",
            "visible ASCII characters",
        ),
        (
            "\"bob\", \"carol\"",
            "\"bob\", \"\"",
            "visible ASCII characters",
        ),
    ] {
        let text = POLICY.replacen(from, to, 1);
        assert_ne!(text, POLICY, "{from}");
        let error = Policy::from_toml(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
    let long = format!("{POLICY}{}", " ".repeat(Policy::BYTES_MAX));
    assert!(matches!(
        Policy::from_toml(&long),
        Err(PolicyError::TooLong { .. })
    ));
    assert_ne!(
        policy().id(),
        Policy::from_toml(&POLICY.replace("2ether", "3ether"))
            .unwrap()
            .id()
    );
}

#[test]
fn the_example_in_the_documentation_is_a_policy() {
    let source = include_str!("../policy.rs");
    let example = source.split("//! ```toml\n").nth(1).unwrap();
    let example = example.split("//! ```\n").next().unwrap();
    let lines = example.lines().map(|line| line.trim_start_matches("//!"));
    let text: Vec<_> = lines.map(|line| line.trim_start()).collect();
    Policy::from_toml(&text.join("\n")).unwrap();
}

#[test]
fn more_uses_than_can_be_counted_are_refused() {
    let text = POLICY
        .replace("calls = 5", "")
        .replace("calls = 3", "value = \"1ether\"");
    let policy = Policy::from_toml(&text).unwrap();
    let one = Use {
        at: NOON,
        value: U256::ZERO,
    };
    let spent: Spent = std::iter::repeat_n(one, spent::USES_MAX).collect();
    let verdict = policy.judge(&spent, &call(), &BTreeSet::new(), NOON + 10);
    assert!(
        matches!(&verdict, Verdict::Refused { reason, .. } if reason.contains("no more are counted")),
        "{verdict:?}"
    );
    let later = NOON + 86_400;
    assert_eq!(
        policy.judge(&spent, &call(), &BTreeSet::new(), later),
        Verdict::Allowed
    );
}

proptest! {
    /// Against a model that keeps everything: in no window of a limit's length is more than the limit, and nothing is refused that
    /// would have fitted.
    #[test]
    fn no_window_has_more_than_its_limit(
        steps in prop::collection::vec((0..40_u64, 0..50_u64, prop::bool::weighted(0.1)), 1..150),
        window in 1..100_u64,
        value in 1..200_u64,
        calls in 1..12_u64,
    ) {
        let text = format!(
            "chains = [1]\ngas_max = 1\nfee_max = \"1\"\nvalue_max = \"1000\"\n\
             [[allow]]\nname = \"all\"\nto = \"{}\"\ntransfers = true\n\
             [[limit]]\nname = \"one\"\nwindow = \"{window}s\"\nvalue = \"{value}\"\ncalls = {calls}\n\
             [[limit]]\nname = \"two\"\nwindow = \"{}s\"\ncalls = {calls}",
            Address::ZERO,
            window * 2,
        );
        let policy = Policy::from_toml(&text).unwrap();
        let (mut spent, mut all, mut now) = (Spent::default(), Vec::<(u64, u64)>::new(), 1000);
        for (pause, amount, restart) in steps {
            now += pause;
            let request = Request {
                chain_id: Some(1),
                to: Some(Address::ZERO),
                value: U256::from(amount),
                data: Data::None,
                gas: 1,
                fee: U256::ONE,
                asker: person("alice"),
            };
            let verdict = policy.judge(&spent, &request, &BTreeSet::new(), now);
            let within = |length: u64| {
                let counted = all.iter().filter(|(at, _)| now - at < length);
                counted.fold((0, 0), |(calls, sum), (_, value)| (calls + 1, sum + value))
            };
            let fits = within(window).0 < calls
                && within(window).1 + amount <= value
                && within(window * 2).0 < calls;
            prop_assert_eq!(verdict == Verdict::Allowed, fits, "{:?}", verdict);
            if fits {
                policy.spend(&mut spent, &request, now);
                all.push((now, amount));
            }
            if restart {
                spent = serde_json::from_str(&serde_json::to_string(&spent).unwrap()).unwrap();
            }
        }
        // Once more, from outside: each window that begins with a use.
        for (start, _) in &all {
            let inside = |length: u64| all.iter().filter(move |(at, _)| *start <= *at && *at - start < length);
            prop_assert!(inside(window).map(|(_, value)| value).sum::<u64>() <= value);
            prop_assert!(inside(window).count() as u64 <= calls);
            prop_assert!(inside(window * 2).count() as u64 <= calls);
        }
    }
}
