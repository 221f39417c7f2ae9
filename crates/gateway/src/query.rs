//! Which part of a list is asked for.

use axum::extract::{Query, rejection::QueryRejection};

use crate::problem::{Code, Refusal};

/// The parameters of a query, or why they are none.
pub(crate) fn parameters<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Refusal> {
    let query = query.map_err(|error| Refusal::new(Code::ParameterInvalid, error.body_text()));
    query.map(|Query(query)| query)
}

/// How many are asked for: from one to `most`.
pub(crate) fn limit(asked: Option<u16>, default: u16, most: u16) -> Result<u16, Refusal> {
    let limit = asked.unwrap_or(default);
    if !(1..=most).contains(&limit) {
        let detail = format!("`limit` is {limit}, not within 1 and {most}.");
        return Err(Refusal::new(Code::ParameterInvalid, detail));
    }
    Ok(limit)
}
