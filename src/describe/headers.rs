//! The headers of requests and answers, as they are described.

use serde_json::json;
use utoipa::{
    PartialSchema,
    openapi::{
        self, RefOr, Required,
        header::Header,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

pub(super) fn mirrored() -> Header {
    let mut header = Header::new(uuid());
    header.description = Some(
        "The request's number, as sent or made, by which it is found in the audit.".to_owned(),
    );
    header
}

pub(super) fn location() -> Header {
    let mut header = Header::new(String::schema());
    header.description = Some("Where the record is now.".to_owned());
    header
}

pub(super) fn seconds() -> Header {
    let mut header = Header::new(u32::schema());
    header.description = Some("Seconds to wait before the request is repeated.".to_owned());
    header
}

pub(super) fn parameter(
    name: &str,
    required: bool,
    described: &str,
    schema: RefOr<openapi::Schema>,
    example: &str,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(if required { Required::True } else { Required::False })
        .description(Some(described))
        .schema(Some(schema))
        .example((!example.is_empty()).then(|| json!(example)))
        .build()
}

pub(super) fn text(pattern: &str) -> RefOr<openapi::Schema> {
    openapi::ObjectBuilder::new()
        .schema_type(openapi::schema::Type::String)
        .pattern(Some(pattern))
        .into()
}

pub(super) fn uuid() -> RefOr<openapi::Schema> {
    let format = openapi::SchemaFormat::KnownFormat(openapi::KnownFormat::Uuid);
    openapi::ObjectBuilder::new()
        .schema_type(openapi::schema::Type::String)
        .format(Some(format))
        .into()
}

pub(super) fn reason() -> Parameter {
    parameter(
        "Access-Reason",
        true,
        "Why you look or write: one of the codes of `GET /v1/code-lists`. It is kept in the audit.",
        openapi::Ref::from_schema_name("Reason").into(),
        "direct-service",
    )
}

pub(super) fn reference(required: bool) -> Parameter {
    parameter(
        "Access-Reference",
        required,
        "Your own reference for this look: 1 to 40 letters, digits, slashes and hyphens. It is kept in the audit.",
        text("^[A-Za-z0-9/-]{1,40}$"),
        "CASE/2026-104",
    )
}

pub(super) fn on_behalf_of() -> Parameter {
    parameter(
        "On-Behalf-Of",
        false,
        "The account of the person for whom you look, where the look is mediated. Both must hold the permission, nothing is told that either may not see, and both are kept in the audit.",
        uuid(),
        "5f0c7f6e-2f9b-4a41-9c39-0f5d6d9f2c11",
    )
}

pub(super) const WITH_A_TOKEN: &str = "A proof of the key that the token is bound to (RFC 9449), where it is bound to one; the token is then sent as `Authorization: DPoP`.";
pub(super) const FOR_A_TOKEN: &str = "A proof of a key (RFC 9449), to which the tokens are then bound. Needed where the registration of a client says so.";

pub(super) fn proof(described: &str, form: RefOr<openapi::Schema>) -> Parameter {
    parameter("DPoP", false, described, form, "")
}

/// A signed token in the compact form of RFC 7515.
pub(super) fn compact() -> RefOr<openapi::Schema> {
    text(r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$")
}

/// It is not looked at where the token is not bound to a key.
pub(super) fn any_text() -> RefOr<openapi::Schema> {
    openapi::ObjectBuilder::new().schema_type(openapi::schema::Type::String).into()
}

pub(super) fn request_id() -> Parameter {
    let described = "A number of yours for the request: a UUID is mirrored in the answer, anything else is replaced by one of ours.";
    parameter("X-Request-Id", false, described, any_text(), "5f0c7f6e-2f9b-4a41-9c39-0f5d6d9f2c11")
}

pub(super) fn idempotency_key() -> Parameter {
    parameter(
        "Idempotency-Key",
        true,
        "A key of your choice, a new one for each request: 8 to 64 printable ASCII characters. Repeating the request with it gives the first answer again, for 7 days.",
        text("^[!-~]{8,64}$"),
        "",
    )
}

pub(super) fn if_match() -> Parameter {
    parameter(
        "If-Match",
        true,
        "The `ETag` of what you change, as you read it.",
        text("^\"[0-9]{1,18}\"$"),
        "\"1\"",
    )
}
