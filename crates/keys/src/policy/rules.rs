//! The rules: how they are written, and what each says to a request.

use std::collections::BTreeSet;

use alloy_primitives::{
    Address, Selector, U256, hex, keccak256,
    utils::{ParseUnits, parse_units},
};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{Data, Person, Policy, Request, Spent, Verdict, spent::USES_MAX};

/// Most rules of each kind, and most entries of a list in one.
const ENTRIES_MAX: usize = 1000;
/// Longest window of a limit: a year.
const WINDOW_SECONDS_MAX: u64 = 366 * 86_400;

/// Why a text is no policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// It is not TOML, or has other fields.
    #[error("the policy cannot be read: {reason}")]
    Toml {
        /// Where, and why.
        reason: String,
    },
    /// It is too long.
    #[error("the policy has {bytes} bytes, and {} is the most", Policy::BYTES_MAX)]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// A rule cannot be meant so.
    #[error("the policy's rule {rule:?} is not possible: {reason}")]
    Rule {
        /// Its name, or the field.
        rule: String,
        /// Why.
        reason: &'static str,
    },
}

/// A policy as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    chains: Vec<u64>,
    gas_max: u64,
    #[serde(deserialize_with = "wei")]
    fee_max: U256,
    #[serde(deserialize_with = "wei")]
    value_max: U256,
    #[serde(default)]
    allow: Vec<Allow>,
    #[serde(default)]
    limit: Vec<Limit>,
    #[serde(default)]
    hours: Vec<Hours>,
    #[serde(default)]
    approval: Vec<Approval>,
}

/// What may be called, or sent to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    name: String,
    /// None with `deploy` only.
    to: Option<Address>,
    #[serde(default)]
    functions: Vec<Function>,
    #[serde(default)]
    transfers: bool,
    #[serde(default)]
    deploy: bool,
    #[serde(default, deserialize_with = "some_wei")]
    value_max: Option<U256>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Any,
    One(Selector),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    name: String,
    #[serde(deserialize_with = "seconds")]
    window: u64,
    #[serde(default, deserialize_with = "some_wei")]
    value: Option<U256>,
    calls: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hours {
    name: String,
    days: Vec<Day>,
    from: Minute,
    until: Minute,
}

/// Days as they follow each other from Monday on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A minute of the day, 0 to 1440.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Minute(u64);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Approval {
    name: String,
    /// For requests of at least so much; of any, without it.
    #[serde(default, deserialize_with = "wei")]
    value_from: U256,
    /// For requests to these; to anybody, without it.
    #[serde(default)]
    to: Vec<Address>,
    /// For these functions; for anything, without it.
    #[serde(default)]
    functions: Vec<Function>,
    of: Vec<Person>,
    needed: usize,
}

impl Rules {
    pub(super) fn from_toml(text: &str) -> Result<Self, PolicyError> {
        if text.len() > Policy::BYTES_MAX {
            return Err(PolicyError::TooLong { bytes: text.len() });
        }
        let rules: Self = toml::from_str(text).map_err(|error| PolicyError::Toml {
            reason: error.to_string(),
        })?;
        rules.check()?;
        Ok(rules)
    }

    /// Refuses what is written well, and cannot be meant.
    fn check(&self) -> Result<(), PolicyError> {
        must(
            "chains",
            !self.chains.is_empty(),
            "it names none, so nothing could be signed",
        )?;
        must(
            "chains",
            !self.chains.contains(&0),
            "no network has chain id 0",
        )?;
        must(
            "chains",
            self.chains.len() <= ENTRIES_MAX,
            "it has more than 1000",
        )?;
        must(
            "allow",
            !self.allow.is_empty(),
            "there is none, so nothing could be signed",
        )?;
        let most = [
            self.allow.len(),
            self.limit.len(),
            self.hours.len(),
            self.approval.len(),
        ];
        let few = most.into_iter().all(|count| count <= ENTRIES_MAX);
        must(
            "allow, limit, hours, approval",
            few,
            "there are more than 1000 of a kind",
        )?;
        self.allow.iter().try_for_each(Allow::check)?;
        self.limit.iter().try_for_each(Limit::check)?;
        self.hours.iter().try_for_each(Hours::check)?;
        self.approval.iter().try_for_each(Approval::check)?;
        let names = self.allow.iter().map(|rule| &rule.name);
        let names = names.chain(self.limit.iter().map(|rule| &rule.name));
        let names = names.chain(self.hours.iter().map(|rule| &rule.name));
        let names = names.chain(self.approval.iter().map(|rule| &rule.name));
        let mut seen = BTreeSet::new();
        for name in names {
            let fits = (1..=64).contains(&name.len()) && !name.chars().any(char::is_control);
            must(name, fits, "a name has 1 to 64 bytes, and is one line")?;
            must(name, seen.insert(name), "another rule has that name")?;
        }
        Ok(())
    }

    /// Whether some rule allows it, whenever and however often.
    pub(super) fn allows(&self, request: &Request) -> Result<(), Verdict> {
        let Some(chain_id) = request.chain_id else {
            return refuse(
                "chains",
                "it names no network, so it would hold on all of them",
            );
        };
        if !self.chains.contains(&chain_id) {
            return refuse("chains", format!("chain id {chain_id} is not among them"));
        }
        if request.gas > self.gas_max {
            return refuse(
                "gas_max",
                format!("{} is more than {}", request.gas, self.gas_max),
            );
        }
        if request.fee > self.fee_max {
            return refuse(
                "fee_max",
                format!("{} wei are more than {}", request.fee, self.fee_max),
            );
        }
        if request.value > self.value_max {
            let (value, most) = (request.value, self.value_max);
            return refuse("value_max", format!("{value} wei are more than {most}"));
        }
        let mut fitting = self
            .allow
            .iter()
            .filter(|rule| rule.fits(request))
            .peekable();
        let Some(first) = fitting.peek() else {
            return refuse("allow", format!("none allows {}", shown(request)));
        };
        let (name, most) = (first.name.clone(), first.value_max.unwrap_or(U256::MAX));
        if fitting.any(|rule| rule.value_max.is_none_or(|most| request.value <= most)) {
            return Ok(());
        }
        refuse(&name, format!("{} wei are more than {most}", request.value))
    }

    /// Whether it is one of the hours, if there are any.
    pub(super) fn open_at(&self, now: u64) -> Result<(), Verdict> {
        if self.hours.is_empty() || self.hours.iter().any(|hours| hours.contain(now)) {
            return Ok(());
        }
        let names: Vec<_> = self.hours.iter().map(|hours| hours.name.as_str()).collect();
        refuse("hours", format!("it is none of: {}", names.join(", ")))
    }

    /// Whether there would be no more than allowed in any window that ends now.
    pub(super) fn within_limits(
        &self,
        spent: &Spent,
        request: &Request,
        now: u64,
    ) -> Result<(), Verdict> {
        for Limit {
            name,
            window,
            value,
            calls,
        } in &self.limit
        {
            let (made, sent) = spent.within(*window, now);
            if let Some(most) = calls.filter(|most| made >= *most) {
                return refuse(
                    name,
                    format!("there were {made} calls, and {most} are the most"),
                );
            }
            let sum = sent.checked_add(request.value);
            if let Some(most) = value.filter(|most| sum.is_none_or(|sum| sum > *most)) {
                let more = request.value;
                let reason = format!("{more} wei after {sent} would be more than {most}");
                return refuse(name, reason);
            }
            if spent.is_full(*window, now) {
                return refuse(
                    name,
                    format!("there were {USES_MAX} calls, and no more are counted"),
                );
            }
        }
        Ok(())
    }

    /// Whether those have approved it who must.
    pub(super) fn approved(&self, request: &Request, approved: &BTreeSet<Person>) -> Verdict {
        let fitting = self.approval.iter().filter(|rule| rule.fits(request));
        let verdicts = fitting.filter_map(|rule| rule.missing(request, approved));
        // One that no approval can satisfy comes before others, so that nobody is asked in vain.
        let verdict = verdicts.reduce(|one, other| match one {
            Verdict::Refused { .. } => one,
            _ if matches!(other, Verdict::Refused { .. }) => other,
            _ => one,
        });
        verdict.unwrap_or(Verdict::Allowed)
    }

    pub(super) fn longest_window(&self) -> Option<u64> {
        self.limit.iter().map(|limit| limit.window).max()
    }
}

impl Allow {
    fn check(&self) -> Result<(), PolicyError> {
        let Self {
            name,
            to,
            functions,
            transfers,
            deploy,
            ..
        } = self;
        let calls = !functions.is_empty() || *transfers;
        must(
            name,
            functions.len() <= ENTRIES_MAX,
            "it has more than 1000 functions",
        )?;
        must(
            name,
            calls || *deploy,
            "it allows nothing: give it functions, transfers or deploy",
        )?;
        must(
            name,
            calls == to.is_some(),
            "functions and transfers need a to, and a to needs them",
        )?;
        must(
            name,
            calls != *deploy,
            "deploy is a rule of its own: what is made has no address yet",
        )
    }

    fn fits(&self, request: &Request) -> bool {
        match (request.to, self.to) {
            (None, _) => self.deploy,
            (Some(to), Some(allowed)) if to == allowed => match request.data {
                Data::None => self.transfers,
                Data::Call(selector) => includes(&self.functions, selector),
                // It would run whatever the contract does for it.
                Data::Short => self.functions.contains(&Function::Any),
            },
            _ => false,
        }
    }
}

impl Limit {
    fn check(&self) -> Result<(), PolicyError> {
        let window = (1..=WINDOW_SECONDS_MAX).contains(&self.window);
        must(
            &self.name,
            window,
            "a window has between one second and 366 days",
        )?;
        let any = self.value.is_some() || self.calls.is_some();
        must(
            &self.name,
            any,
            "it limits nothing: give it value, calls, or both",
        )?;
        let counted = self.calls.is_none_or(|calls| calls <= USES_MAX as u64);
        must(
            &self.name,
            counted,
            "more than 100000 calls cannot be counted",
        )
    }
}

impl Hours {
    fn check(&self) -> Result<(), PolicyError> {
        must(
            &self.name,
            (1..=7).contains(&self.days.len()),
            "it needs one to seven days",
        )?;
        let order = self.from < self.until;
        must(
            &self.name,
            order,
            "from is not before until: a time over midnight is two rules",
        )
    }

    fn contain(&self, now: u64) -> bool {
        // Day 0 of Unix time was a Thursday.
        let weekday = (now / 86_400 + 3) % 7;
        let minute = Minute(now % 86_400 / 60);
        let day = self.days.iter().any(|day| *day as u64 == weekday);
        day && self.from <= minute && minute < self.until
    }
}

impl Approval {
    fn check(&self) -> Result<(), PolicyError> {
        let name = &self.name;
        let people: BTreeSet<_> = self.of.iter().collect();
        must(
            name,
            people.len() == self.of.len(),
            "somebody is named twice",
        )?;
        must(
            name,
            self.of.len() <= ENTRIES_MAX,
            "it names more than 1000 people",
        )?;
        must(
            name,
            self.needed > 0,
            "no approval is needed: leave the rule out",
        )?;
        must(
            name,
            self.needed <= self.of.len(),
            "it needs more people than it names",
        )?;
        let few = self.to.len() <= ENTRIES_MAX && self.functions.len() <= ENTRIES_MAX;
        must(name, few, "it has more than 1000 entries")
    }

    fn fits(&self, request: &Request) -> bool {
        let to = self.to.is_empty() || request.to.is_some_and(|to| self.to.contains(&to));
        let function = match request.data {
            _ if self.functions.is_empty() => true,
            Data::Call(selector) => includes(&self.functions, selector),
            Data::Short => self.functions.contains(&Function::Any),
            Data::None => false,
        };
        to && function && request.value >= self.value_from
    }

    /// What is missing, if anything is.
    fn missing(&self, request: &Request, approved: &BTreeSet<Person>) -> Option<Verdict> {
        let others = || self.of.iter().filter(|person| **person != request.asker);
        let given = others().filter(|person| approved.contains(*person)).count();
        let missing = self
            .needed
            .checked_sub(given)
            .filter(|missing| *missing > 0)?;
        let from: Vec<_> = others()
            .filter(|person| !approved.contains(*person))
            .cloned()
            .collect();
        let rule = self.name.clone();
        if from.len() < missing {
            let reason = format!(
                "{} must approve, and only {} can, for whoever asks does not count",
                self.needed,
                others().count()
            );
            return Some(Verdict::Refused { rule, reason });
        }
        Some(Verdict::NeedsApprovals {
            rule,
            missing,
            from,
        })
    }
}

fn includes(functions: &[Function], selector: Selector) -> bool {
    let fits = |function: &Function| {
        matches!(function, Function::Any) || *function == Function::One(selector)
    };
    functions.iter().any(fits)
}

fn shown(request: &Request) -> String {
    match (request.to, request.data) {
        (None, _) => "making a contract".to_owned(),
        (Some(to), Data::None) => format!("a transfer to {to}"),
        (Some(to), Data::Call(selector)) => format!("function {selector} of {to}"),
        (Some(to), Data::Short) => format!("data without a function to {to}"),
    }
}

fn refuse(rule: &str, reason: impl Into<String>) -> Result<(), Verdict> {
    Err(Verdict::Refused {
        rule: rule.to_owned(),
        reason: reason.into(),
    })
}

fn must(rule: &str, holds: bool, reason: &'static str) -> Result<(), PolicyError> {
    if holds {
        return Ok(());
    }
    Err(PolicyError::Rule {
        rule: rule.to_owned(),
        reason,
    })
}

fn wei<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
    let text = String::deserialize(deserializer)?;
    let unit = text.find(|letter: char| letter.is_ascii_alphabetic());
    let (number, unit) = text.split_at(unit.unwrap_or(text.len()));
    let unit = if unit.is_empty() { "wei" } else { unit };
    match parse_units(number.trim(), unit) {
        Ok(ParseUnits::U256(wei)) if number.starts_with(|digit: char| digit.is_ascii_digit()) => {
            Ok(wei)
        }
        _ => Err(D::Error::custom(
            "an amount looks like \"2ether\", \"1.5ether\", \"10gwei\", or \"100\" for 100 wei",
        )),
    }
}

fn some_wei<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<U256>, D::Error> {
    wei(deserializer).map(Some)
}

/// A time such as `90s`, `15m`, `24h` or `7d`.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
    let parsed = units.into_iter().find_map(|(letter, unit)| {
        let count = text.strip_suffix(letter)?;
        let digits = count.bytes().all(|byte| byte.is_ascii_digit());
        let count: u64 = count.parse().ok().filter(|_| digits)?;
        count.checked_mul(unit)
    });
    parsed
        .ok_or_else(|| D::Error::custom("a window looks like \"90s\", \"15m\", \"24h\" or \"7d\""))
}

impl<'de> Deserialize<'de> for Minute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parsed = match text.as_bytes() {
            &[h1, h2, b':', m1, m2] if [h1, h2, m1, m2].iter().all(u8::is_ascii_digit) => {
                let number =
                    |tens: u8, ones: u8| u64::from(tens - b'0') * 10 + u64::from(ones - b'0');
                let (hour, minute) = (number(h1, h2), number(m1, m2));
                (minute < 60).then_some(hour * 60 + minute)
            }
            _ => None,
        };
        let minute = parsed.filter(|minute| *minute <= 24 * 60).map(Self);
        minute.ok_or_else(|| {
            D::Error::custom("a time of day looks like \"06:30\", from \"00:00\" to \"24:00\"")
        })
    }
}

impl<'de> Deserialize<'de> for Function {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        function(&text).ok_or_else(|| {
            D::Error::custom(
                "a function looks like \"transfer(address,uint256)\" (full type names, no spaces), \"0xa9059cbb\", or \"*\" for any",
            )
        })
    }
}

fn function(text: &str) -> Option<Function> {
    if text == "*" {
        return Some(Function::Any);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        let mut selector = Selector::ZERO;
        hex::decode_to_slice(digits, selector.as_mut_slice()).ok()?;
        return Some(Function::One(selector));
    }
    let (name, types) = text.split_once('(')?;
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
    let named = name.bytes().all(word)
        && name
            .bytes()
            .next()
            .is_some_and(|byte| !byte.is_ascii_digit());
    let typed = types
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"(),[]".contains(&byte));
    // Their selectors are those of the full names, so with these another function would be allowed.
    let mut words = types.split(|letter: char| !letter.is_ascii_alphanumeric());
    let full = !words.any(|word| matches!(word, "uint" | "int" | "fixed" | "ufixed" | "byte"));
    let closed = types.ends_with(')') && balanced(types);
    (named && typed && full && closed).then(|| {
        let hash = keccak256(text);
        Function::One(Selector::from_slice(&hash[..4]))
    })
}

/// Whether the parenthesis that was opened before it closes at its end, and not sooner.
fn balanced(types: &str) -> bool {
    let mut depth = 1_usize;
    for (at, byte) in types.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1 == types.len();
        }
    }
    false
}
