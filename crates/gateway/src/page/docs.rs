//! `/docs`: the OpenAPI document as one page.

use maud::{Markup, html};
use serde_json::{Map, Value};
use utoipa::openapi::OpenApi;

use super::page;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Renders a document. What it does not find it leaves out.
pub(crate) fn render(document: &OpenApi) -> Markup {
    let document = serde_json::to_value(document).unwrap_or_default();
    let text = |pointer: &str| {
        document
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let content = html! {
        header {
            h1 { (text("/info/title")) }
            p.lead { (prose(&text("/info/description"))) }
            p { a href="/openapi.json" { "OpenAPI 3.1 document" } " \u{b7} " a href="/" { "Start page" } }
        }
        main {
            @for tag in list(&document, "tags") {
                h2.title { (field(tag, "name")) }
                p.faint { (field(tag, "description")) }
                div.card {
                    @for (path, method, operation) in operations(&document, field(tag, "name")) {
                        (operation_details(path, method, operation))
                    }
                }
            }
            h2 { "Schemas" }
            div.card {
                @for (name, schema) in members(document.pointer("/components/schemas")) { (schema_details(name, schema)) }
            }
        }
        footer { "Made from the OpenAPI document of this gateway, version " (text("/info/version")) "." }
    };
    page("Ashlar gateway: interface", None, &content)
}

fn operations<'a>(document: &'a Value, tag: &str) -> Vec<(&'a str, &'static str, &'a Value)> {
    let mut found = Vec::new();
    for (path, item) in members(document.get("paths")) {
        for method in METHODS {
            let Some(operation) = item.get(method) else {
                continue;
            };
            if list(operation, "tags").iter().any(|name| name == tag) {
                found.push((path, method, operation));
            }
        }
    }
    found
}

fn operation_details(path: &str, method: &str, operation: &Value) -> Markup {
    let open = operation
        .get("security")
        .and_then(Value::as_array)
        .is_some_and(|all| {
            all.iter()
                .all(|one| one.as_object().is_some_and(Map::is_empty))
        });
    html! {
        details {
            summary { span.method { (method.to_uppercase()) } code { (path) } " " (field(operation, "summary")) }
            @for paragraph in field(operation, "description").split("\n\n") { p { (prose(paragraph)) } }
            @if !open { p.faint { "Needs an API key: " code { "Authorization: Bearer \u{2026}" } } }
            @let parameters = list(operation, "parameters");
            @if !parameters.is_empty() {
                table {
                    thead { tr { th { "Parameter" } th { "In" } th { "Meaning" } } }
                    tbody { @for parameter in parameters { tr {
                        td { code { (field(parameter, "name")) }
                            @if parameter.get("required") == Some(&Value::Bool(true)) { " (required)" } }
                        td { (field(parameter, "in")) }
                        td { (prose(field(parameter, "description"))) }
                    } } }
                }
            }
            @for (media_type, content) in members(operation.pointer("/requestBody/content")) {
                p { "Body: " code { (media_type) } " " (type_name(content.get("schema"))) }
            }
            table {
                thead { tr { th { "Answer" } th { "Meaning" } th { "Body" } } }
                tbody { @for (status, response) in members(operation.get("responses")) { tr {
                    td { (status) }
                    td { (prose(field(response, "description"))) }
                    td { @for (media_type, content) in members(response.get("content")) {
                        code { (media_type) } " " (type_name(content.get("schema"))) " "
                    } }
                } } }
            }
        }
    }
}

fn schema_details(name: &str, schema: &Value) -> Markup {
    let required: Vec<&str> = list(schema, "required")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    html! {
        details id=(name) {
            summary { code { (name) } " " (prose(field(schema, "description"))) }
            @let values = list(schema, "enum");
            @if !values.is_empty() { p { @for value in values { code { (value.as_str().unwrap_or_default()) } " " } } }
            table { tbody { @for (member, schema) in members(schema.get("properties")) { tr {
                td { code { (member) } @if required.contains(&member) { " (required)" } }
                td { (type_name(Some(schema))) }
                td { (prose(field(schema, "description"))) }
            } } } }
        }
    }
}

fn type_name(schema: Option<&Value>) -> Markup {
    let Some(schema) = schema else {
        return html! {};
    };
    if let Some(name) = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|path| path.rsplit('/').next())
    {
        return html! { a href=(format!("#{name}")) { (name) } };
    }
    if let Some(items) = schema.get("items") {
        return html! { "list of " (type_name(Some(items))) };
    }
    for choice in list(schema, "oneOf") {
        if choice.get("$ref").is_some() {
            return type_name(Some(choice));
        }
    }
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds
            .iter()
            .filter_map(Value::as_str)
            .filter(|kind| *kind != "null")
            .collect(),
        _ => vec!["any JSON"],
    };
    html! { (kinds.join(" or ")) }
}

/// Text in which back quotes mark code.
fn prose(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    let object = value.and_then(Value::as_object);
    object
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi;

    #[test]
    fn every_route_and_schema_is_on_the_page_and_nothing_from_elsewhere() {
        let document = openapi();
        let page = render(&document).into_string();
        let value = serde_json::to_value(&document).unwrap();
        for (path, _) in members(value.get("paths")) {
            assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
        }
        for (name, _) in members(value.pointer("/components/schemas")) {
            assert!(page.contains(&format!("<details id=\"{name}\">")), "{name}");
        }
        for outside in ["<script", "src=", "@import", "url(", "href=\"http"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
