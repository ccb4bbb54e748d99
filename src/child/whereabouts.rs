//! Where a child is, as far as is known.

use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        KnownFormat, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, SchemaFormat, Type,
        schema::AdditionalProperties,
    },
};
use uuid::Uuid;

use super::address::Address;
use crate::{code::codes, seal::Place};

codes! {
    /// Whether a child who left England means to come back within three years.
    Return {
        /// Means to.
        Intends = "intends",
        /// Does not mean to.
        DoesNotIntend = "doesNotIntend",
        /// It is not known.
        NotKnown = "notKnown",
    }
}

codes! {
    /// Which of the four it is.
    WhereaboutsKind {
        /// An address now.
        Current = "current",
        /// An address before.
        LastKnown = "lastKnown",
        /// No address was ever known.
        NoneKnown = "noneKnown",
        /// The child left England.
        LeftEngland = "leftEngland",
    }
}

/// Where a child is, as far as is known; `kind` says which of the four it is.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Whereabouts {
    /// The child lives at this address.
    Current {
        /// Where.
        address: Address,
    },
    /// The child lived at this address; where now is not known.
    LastKnown {
        /// Where.
        address: Address,
    },
    /// No address was ever known.
    NoneKnown {},
    /// The child left England.
    LeftEngland {
        /// The day of leaving.
        left_on: NaiveDate,
        /// Whether the child means to come back within three years.
        #[serde(rename = "return")]
        returning: Return,
    },
}

impl Whereabouts {
    /// Which of the four it is.
    #[must_use]
    pub fn kind(&self) -> WhereaboutsKind {
        match self {
            Self::Current { .. } => WhereaboutsKind::Current,
            Self::LastKnown { .. } => WhereaboutsKind::LastKnown,
            Self::NoneKnown {} => WhereaboutsKind::NoneKnown,
            Self::LeftEngland { .. } => WhereaboutsKind::LeftEngland,
        }
    }

    /// The address, now or before.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Current { address } | Self::LastKnown { address } => Some(address),
            Self::NoneKnown {} | Self::LeftEngland { .. } => None,
        }
    }
}

impl Whereabouts {
    /// Where it stands when it is sealed.
    #[must_use]
    pub fn place(whereabouts: Uuid) -> Place {
        Place::of("whereabouts", whereabouts)
    }

    /// The day on which the child left England, and whether the child means to come back.
    #[must_use]
    pub fn left_england(&self) -> Option<(NaiveDate, Return)> {
        match self {
            Self::LeftEngland { left_on, returning } => Some((*left_on, *returning)),
            _ => None,
        }
    }
}

impl fmt::Debug for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Whereabouts(…)")
    }
}

/// Every member that any kind has, so that a fault deep inside is pointed at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Told {
    kind: WhereaboutsKind,
    address: Option<Address>,
    #[serde(default, deserialize_with = "crate::word::some_day")]
    left_on: Option<NaiveDate>,
    r#return: Option<Return>,
}

impl<'de> Deserialize<'de> for Whereabouts {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let Told { kind, address, left_on, r#return } = Told::deserialize(reader)?;
        let needed = |member| move || D::Error::missing_field(member);
        match (kind, address, left_on, r#return) {
            (WhereaboutsKind::Current, address, None, None) => {
                Ok(Self::Current { address: address.ok_or_else(needed("address"))? })
            }
            (WhereaboutsKind::LastKnown, address, None, None) => {
                Ok(Self::LastKnown { address: address.ok_or_else(needed("address"))? })
            }
            (WhereaboutsKind::NoneKnown, None, None, None) => Ok(Self::NoneKnown {}),
            (WhereaboutsKind::LeftEngland, None, left_on, returning) => Ok(Self::LeftEngland {
                left_on: left_on.ok_or_else(needed("leftOn"))?,
                returning: returning.ok_or_else(needed("return"))?,
            }),
            (WhereaboutsKind::NoneKnown, Some(_), ..) => {
                Err(D::Error::unknown_field("address", &["kind"]))
            }
            (WhereaboutsKind::LeftEngland, ..) => {
                Err(D::Error::unknown_field("address", &["kind", "leftOn", "return"]))
            }
            (WhereaboutsKind::NoneKnown, _, left_on, _) => {
                Err(D::Error::unknown_field(leaving(left_on), &["kind"]))
            }
            (_, _, left_on, _) => {
                Err(D::Error::unknown_field(leaving(left_on), &["kind", "address"]))
            }
        }
    }
}

fn leaving(left_on: Option<NaiveDate>) -> &'static str {
    if left_on.is_some() { "leftOn" } else { "return" }
}

impl PartialSchema for Whereabouts {
    fn schema() -> RefOr<Schema> {
        let at = |kind, meaning| {
            closed(kind, meaning)
                .property("address", Ref::from_schema_name("Address"))
                .required("address")
        };
        let day = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)));
        OneOfBuilder::new()
            .description(Some(
                "Where a child is, as far as is known; `kind` says which of the four it is.",
            ))
            .item(at(WhereaboutsKind::Current, "The child lives at this address."))
            .item(at(
                WhereaboutsKind::LastKnown,
                "The child lived at this address; where now is not known.",
            ))
            .item(closed(WhereaboutsKind::NoneKnown, "No address was ever known."))
            .item(
                closed(WhereaboutsKind::LeftEngland, "The child left England on this day.")
                    .property("leftOn", day)
                    .required("leftOn")
                    .property("return", Ref::from_schema_name("Return"))
                    .required("return"),
            )
            .into()
    }
}

impl ToSchema for Whereabouts {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.extend([
            (Address::name().into(), Address::schema()),
            (Return::name().into(), Return::schema()),
        ]);
        Address::schemas(schemas);
    }
}

/// An object of this kind, to which no further members may be added.
fn closed(kind: WhereaboutsKind, meaning: &str) -> ObjectBuilder {
    let tag = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([kind.as_str()]));
    ObjectBuilder::new()
        .description(Some(meaning))
        .property("kind", tag)
        .required("kind")
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::word::testing::{admits, refused};

    fn address() -> Value {
        json!({ "lines": ["12 Harbour Way"], "town": "Exampleton", "postcode": "PO1 3AX" })
    }

    #[test]
    fn each_kind_is_read_and_written_as_published() {
        for written in [
            json!({ "kind": "current", "address": address() }),
            json!({ "kind": "lastKnown", "address": address() }),
            json!({ "kind": "noneKnown" }),
            json!({ "kind": "leftEngland", "leftOn": "2026-05-01", "return": "doesNotIntend" }),
        ] {
            let read: Whereabouts = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), written);
            assert_eq!(written["kind"], read.kind().as_str());
            assert_eq!(read.address().is_some(), written.get("address").is_some());
            assert!(admits::<Whereabouts>(&written), "{written}");
            assert_eq!(format!("{read:?}"), "Whereabouts(…)");
        }
    }

    #[test]
    fn a_member_of_another_kind_is_unknown() {
        for (wrong, member) in [
            (json!({ "kind": "current", "address": address(), "leftOn": "2026-05-01" }), "leftOn"),
            (json!({ "kind": "lastKnown", "address": address(), "return": "intends" }), "return"),
            (json!({ "kind": "noneKnown", "address": address() }), "address"),
            (json!({ "kind": "noneKnown", "leftOn": "2026-05-01" }), "leftOn"),
            (
                json!({ "kind": "leftEngland", "leftOn": "2026-05-01", "return": "intends", "address": address() }),
                "address",
            ),
            (json!({ "kind": "noneKnown", "note": "with an aunt" }), "note"),
        ] {
            let (_, told) = refused::<Whereabouts>(&wrong);
            assert!(told.contains(&format!("unknown field `{member}`")), "{told}");
            assert!(!admits::<Whereabouts>(&wrong), "{wrong}");
        }
    }

    #[test]
    fn a_missing_member_is_named() {
        for (wrong, member) in [
            (json!({ "kind": "current" }), "address"),
            (json!({ "kind": "leftEngland", "return": "intends" }), "leftOn"),
            (json!({ "kind": "leftEngland", "leftOn": "2026-05-01" }), "return"),
            (json!({ "address": address() }), "kind"),
        ] {
            let (_, told) = refused::<Whereabouts>(&wrong);
            assert!(told.contains(&format!("missing field `{member}`")), "{told}");
            assert!(!admits::<Whereabouts>(&wrong), "{wrong}");
        }
    }

    #[test]
    fn a_fault_inside_is_pointed_at() {
        let mut wrong = json!({ "kind": "current", "address": address() });
        wrong["address"]["postcode"] = "Q1 1AA".into();
        assert_eq!(refused::<Whereabouts>(&wrong).0, "address.postcode");
        assert_eq!(refused::<Whereabouts>(&json!({ "kind": "moved" })).0, "kind");
    }
}
