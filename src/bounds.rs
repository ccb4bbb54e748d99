//! What a body must hold that depends on more than one of its members, said in the description as JSON Schema.

use serde_json::{Value, json};
use utoipa::{
    PartialSchema,
    openapi::{
        OpenApi, RefOr, Schema,
        extensions::Extensions,
        schema::{Array, Object},
    },
};

use crate::{
    access::Role,
    access_request::ASKED_FOR,
    access_request::Decision,
    child::{
        identifier::{
            ChildReference, IdentifierKind, NationalInsuranceNumber, NhsNumber, Uln, Upn,
        },
        name::NameKind,
    },
    client::{method::AuthMethod, scope},
    involvement::{ServiceCategory, ServiceType},
    oauth::exchange,
    organisation::{Accreditation, OrganisationKind},
    shield::{ShieldDecision, stated},
};

/// Adds them. Each schema takes one keyword, since several would be written in any order.
pub(crate) fn complete(api: &mut OpenApi) {
    for (schema, keyword, rule) in [
        ("SearchIn", "anyOf", enough_to_search_by()),
        ("NameIn", "allOf", two_letters()),
        ("IdentifierIn", "anyOf", number_of_its_kind()),
        ("Contact", "anyOf", json!([{ "required": ["practitioner"] }, { "required": ["team"] }])),
        ("ChildChange", "dependentRequired", birth_whole()),
        ("OrganisationIn", "anyOf", authority_code()),
        ("AccessRequestIn", "allOf", json!([{ "properties": { "role": { "enum": ASKED_FOR } } }])),
        ("AccessDecisionIn", "anyOf", whole_decision()),
        (
            "ShieldRequestIn",
            "allOf",
            json!([{ "properties": { "ground": { "enum": stated().collect::<Vec<_>>() } } }]),
        ),
        ("ShieldDecisionIn", "not", review_of_no_shield()),
        (
            "OverrideGrantIn",
            "allOf",
            json!([{ "properties": { "warningAcknowledged": { "const": true } } }]),
        ),
        ("FeedIn", "allOf", json!([{ "properties": { "serviceType": { "enum": fed() } } }])),
        ("OrganisationChange", "dependentSchemas", closed_when_closing()),
        ("ClientIn", "allOf", json!([one_proof(), scopes_of_its_role()])),
        ("ClientChange", "not", json!({ "required": ["jwks", "jwksUri"] })),
        ("TokenRequest", "anyOf", members_of_a_grant()),
        ("Revocation", "additionalProperties", json!({ "type": "string" })),
    ] {
        if let Some(object) = object(api, schema) {
            say(&mut object.extensions, keyword, rule);
        }
    }
    for schema in ["ChildIn", "ChildChange"] {
        for (member, rule) in [
            ("names", one_current_name()),
            ("identifiers", one_of_a_kind()),
            ("withoutService", universal_services()),
        ] {
            if let Some(list) = object(api, schema).and_then(|object| list(object, member)) {
                say(&mut list.extensions, "allOf", rule);
            }
        }
    }
}

fn object<'a>(api: &'a mut OpenApi, schema: &str) -> Option<&'a mut Object> {
    match api.components.as_mut()?.schemas.get_mut(schema)? {
        RefOr::T(Schema::Object(object)) => Some(object),
        _ => None,
    }
}

fn list<'a>(object: &'a mut Object, member: &str) -> Option<&'a mut Array> {
    match object.properties.get_mut(member)? {
        RefOr::T(Schema::Array(list)) => Some(list),
        _ => None,
    }
}

fn say(extensions: &mut Option<Extensions>, keyword: &str, rule: Value) {
    extensions.get_or_insert_default().insert(keyword.to_owned(), rule);
}

fn enough_to_search_by() -> Value {
    let given =
        json!({ "name": { "required": ["given"], "properties": { "given": { "minItems": 1 } } } });
    json!([
        { "title": "By index number", "required": ["indexNumber"] },
        { "title": "By an identifier", "required": ["identifier"] },
        { "title": "By names with date of birth", "required": ["name", "dateOfBirth"], "properties": given },
        { "title": "By names with postcode and gender", "required": ["name", "postcode", "gender"], "properties": given },
        { "title": "By family name with date of birth and postcode", "required": ["name", "dateOfBirth", "postcode"] },
    ])
}

fn two_letters() -> Value {
    const LETTER: &str =
        r"[A-Za-z\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02AF\u1E00-\u1EFF\u2C60-\u2C7F]";
    json!([{ "properties": { "family": { "pattern": format!("{LETTER}.*{LETTER}") } } }])
}

fn number_of_its_kind() -> Value {
    let number = |kind: &IdentifierKind| match kind {
        IdentifierKind::Upn => Upn::schema(),
        IdentifierKind::NhsNumber => NhsNumber::schema(),
        IdentifierKind::ChildReference => ChildReference::schema(),
        IdentifierKind::NationalInsuranceNumber => NationalInsuranceNumber::schema(),
        IdentifierKind::Uln => Uln::schema(),
    };
    let kinds = IdentifierKind::ALL.iter().map(|kind| {
        json!({ "title": kind.as_str(), "properties": { "kind": { "const": kind.as_str() }, "value": number(kind) } })
    });
    kinds.collect()
}

fn birth_whole() -> Value {
    json!({ "dateOfBirthPrecision": ["dateOfBirth"], "dateOfBirthEstimated": ["dateOfBirth"] })
}

fn review_of_no_shield() -> Value {
    let others: Vec<_> =
        ShieldDecision::ALL.iter().filter(|told| **told != ShieldDecision::Approved).collect();
    json!({ "required": ["reviewOn"], "properties": { "decision": { "enum": others } } })
}

fn authority_code() -> Value {
    let authority = OrganisationKind::LocalAuthority;
    let others: Vec<_> = OrganisationKind::ALL.iter().filter(|kind| **kind != authority).collect();
    json!([
        {
            "title": "A local authority",
            "required": ["codes"],
            "properties": { "kind": { "const": authority }, "codes": { "required": ["authority"], "properties": { "authority": true } } },
        },
        {
            "title": "Any other body",
            "properties": { "kind": { "enum": others }, "codes": { "properties": { "authority": false } } },
        },
    ])
}

fn fed() -> Vec<ServiceType> {
    let sensitive = |service: &&ServiceType| service.category() == ServiceCategory::Sensitive;
    ServiceType::ALL.iter().filter(|service| !sensitive(service)).copied().collect()
}

fn closed_when_closing() -> Value {
    json!({ "closedOn": { "properties": { "status": { "const": Accreditation::Closed } } } })
}

fn one_proof() -> Value {
    let by = |method: AuthMethod, given: &[&str], not: &[&str]| {
        let mut properties = json!({ "tokenEndpointAuthMethod": { "const": method } });
        for member in not {
            properties[*member] = json!(false);
        }
        json!({ "title": method, "required": given, "properties": properties })
    };
    json!({ "anyOf": [
        by(AuthMethod::ClientSecret, &[], &["jwks", "jwksUri"]),
        by(AuthMethod::PrivateKeyJwt, &["jwks"], &["jwksUri"]),
        by(AuthMethod::PrivateKeyJwt, &["jwksUri"], &["jwks"]),
    ] })
}

fn scopes_of_its_role() -> Value {
    let of = |role: &Role| {
        let scopes = json!({ "items": { "enum": scope::all(*role) } });
        json!({ "title": role, "properties": { "role": { "const": role }, "scopes": scopes } })
    };
    json!({ "anyOf": Role::ALL.iter().filter(|role| role.is_system()).map(of).collect::<Vec<_>>() })
}

fn whole_decision() -> Value {
    let (approved, declined) = (Decision::Approved, Decision::Declined);
    json!([
        {
            "title": "Approved",
            "required": ["userName"],
            "properties": { "decision": { "const": approved }, "userName": true, "reason": false },
        },
        {
            "title": "Declined",
            "properties": {
                "decision": { "const": declined }, "userName": false, "role": false, "policeCheckedOn": false,
                "trainedOn": false, "agreementSignedOn": false,
            },
        },
    ])
}

fn members_of_a_grant() -> Value {
    json!([
        { "title": "For a system", "properties": { "grant_type": { "const": "client_credentials" } } },
        {
            "title": "To go on with a session",
            "required": ["refresh_token"],
            "properties": { "grant_type": { "const": "refresh_token" } },
        },
        {
            "title": "For a system with a person",
            "required": ["subject_token", "subject_token_type"],
            "properties": {
                "grant_type": { "const": exchange::GRANT },
                "subject_token_type": { "const": exchange::ACCESS_TOKEN },
            },
        },
    ])
}

fn one_current_name() -> Value {
    json!([at_most_one("kind", NameKind::Current.as_str(), 1)])
}

fn one_of_a_kind() -> Value {
    IdentifierKind::ALL.iter().map(|kind| at_most_one("kind", kind.as_str(), 0)).collect()
}

fn at_most_one(member: &str, code: &str, least: u8) -> Value {
    json!({
        "contains": { "required": [member], "properties": { member: { "const": code } } },
        "minContains": least,
        "maxContains": 1,
    })
}

fn universal_services() -> Value {
    let universal =
        ServiceType::ALL.iter().filter(|service| service.category() == ServiceCategory::Universal);
    json!([{ "items": { "enum": universal.collect::<Vec<_>>() } }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app;

    fn admits(schema: &str, body: &Value) -> bool {
        let mut whole: Value = serde_json::from_str(&app::document()).unwrap();
        whole["$ref"] = json!(format!("#/components/schemas/{schema}"));
        jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&whole)
            .unwrap()
            .is_valid(body)
    }

    #[test]
    fn a_search_is_admitted_where_it_suffices() {
        let whole = json!({ "given": ["Amy"], "family": "Larkfield" });
        let family = json!({ "family": "Larkfield" });
        let (born, postcode) = ("2015-03-14", "PO1 3AX");
        for (search, enough) in [
            (json!({}), false),
            (json!({ "indexNumber": "48271930566" }), true),
            (json!({ "name": whole }), false),
            (json!({ "name": whole, "dateOfBirth": born }), true),
            (json!({ "name": family, "dateOfBirth": born }), false),
            (json!({ "name": { "given": [], "family": "Larkfield" }, "dateOfBirth": born }), false),
            (json!({ "name": { "given": ["Amy"], "family": "L" }, "dateOfBirth": born }), false),
            (json!({ "name": whole, "postcode": postcode }), false),
            (json!({ "name": whole, "postcode": postcode, "gender": "female" }), true),
            (json!({ "name": family, "dateOfBirth": born, "postcode": postcode }), true),
            (json!({ "identifier": { "kind": "upn", "value": "B801200005001" } }), true),
            (json!({ "identifier": { "kind": "uln", "value": "B801200005001" } }), false),
        ] {
            assert_eq!(admits("SearchIn", &search), enough, "{search}");
        }
    }

    #[test]
    fn rules_between_members_are_in_the_description() {
        let name = |kind: &str| json!({ "kind": kind, "given": ["Amy"], "family": "Larkfield" });
        for (change, may) in [
            (json!({ "names": [name("current"), name("former")] }), true),
            (json!({ "names": [name("former")] }), false),
            (json!({ "names": [name("current"), name("current")] }), false),
            (json!({ "identifiers": [] }), true),
            (
                json!({ "identifiers": [{ "kind": "uln", "value": "9990000017" }, { "kind": "uln", "value": "1234567899" }] }),
                false,
            ),
            (json!({ "withoutService": ["school"] }), true),
            (json!({ "withoutService": ["mentalHealth"] }), false),
            (json!({ "dateOfBirthEstimated": true }), false),
        ] {
            assert_eq!(admits("ChildChange", &change), may, "{change}");
        }
        let phone = "01632 960001";
        assert!(!admits("Contact", &json!({ "officeHours": phone })));
        assert!(admits("Contact", &json!({ "officeHours": phone, "team": "Pastoral Team" })));
        let body = |kind: &str, codes: Value| json!({ "kind": kind, "name": "Example", "codes": codes, "officeHours": phone, "duty": phone });
        assert!(!admits("OrganisationIn", &body("localAuthority", json!({}))));
        assert!(admits("OrganisationIn", &body("localAuthority", json!({ "authority": "887" }))));
        assert!(!admits("OrganisationIn", &body("school", json!({ "authority": "887" }))));
        assert!(!admits(
            "OrganisationChange",
            &json!({ "closedOn": "2026-01-01", "status": "suspended" })
        ));
        for (told, may) in [
            (json!({ "decision": "approved", "userName": "b.practitioner" }), true),
            (json!({ "decision": "approved" }), false),
            (json!({ "decision": "declined", "reason": "notNeeded" }), true),
            (json!({ "decision": "declined", "userName": "b.practitioner" }), false),
        ] {
            assert_eq!(admits("AccessDecisionIn", &told), may, "{told}");
        }
        assert!(!admits("TokenRequest", &json!({ "grant_type": "refresh_token" })));
    }
}
