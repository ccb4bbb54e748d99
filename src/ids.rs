//! The names by which records refer to one another.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::word::{Refusal, digits, word};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type, ToSchema)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new one, random, so that it tells nothing.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "no two are the same, so none is the default")]
            pub fn new() -> Self {
                Self(Uuid::new_v4())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )* };
}

ids! {
    /// A child in the index; never leaves the service.
    ChildId
    /// An organisation's involvement with a child.
    InvolvementId
    /// A parent or other carer of a child.
    CarerId
    /// A school, surgery, council or other organisation that works with children.
    OrganisationId
    /// A person who may sign in.
    AccountId
    /// What a person opens an account with.
    InvitationId
    /// Somebody's request to have an account.
    AccessRequestId
    /// A system that may call.
    ClientId
    /// A time of being signed in.
    SessionId
    /// A line of the audit.
    EventId
    /// A search, to which later looks refer.
    SearchId
    /// A person who is shielded, or was; never leaves the service.
    PersonId
    /// Somebody's request that a child be shielded.
    ShieldRequestId
    /// A proposal that an identity ends.
    IdentityEndId
    /// A grant to look past a shield.
    GrantId
    /// What is looked into because of how the index was used.
    InvestigationId
    /// Something that was found in how the index is used.
    AlertId
    /// A consent, with who gave it and when.
    ConsentId
    /// A request to be put in touch with a service that is told to nobody.
    ContactRequestId
    /// An offer to answer for a record.
    TransferId
    /// What a child, or a carer, asks of the index.
    InformationRequestId
    /// Why looks at a child are told later.
    WithholdingId
    /// Something that people are told to do or to know.
    NoticeId
    /// A legal hold on a record.
    HoldId
    /// Two records that may be of one child.
    PossibleDuplicateId
    /// A purge of records whose time is over.
    PurgeId
    /// An address to which changes are sent.
    SubscriptionId
    /// An event that is sent, however often.
    DeliveryId
    /// Two records that are one, or are to be.
    MergeId
    /// A source system of an organisation, which sends what it holds.
    FeedId
    /// What a feed sends at once.
    BatchId
    /// A row of a feed that a steward decides on.
    ReviewTaskId
}

word! {
    /// A child's number in the index: ten random digits and an ISO 7064 MOD 11,10 check digit.
    #[schema(min_length = 11, max_length = 11, pattern = "^[0-9]{11}$", example = "48271930566")]
    IndexNumber = index_number
}

impl IndexNumber {
    /// A new number, derived from nothing.
    pub fn random(random: &mut impl Rng) -> Self {
        Self::from_ten_digits(random.random_range(1_000_000_000..10_000_000_000))
    }

    /// The number whose first ten digits are the last ten of `number`.
    #[must_use]
    pub fn from_ten_digits(number: u64) -> Self {
        let ten = format!("{:010}", number % 10_000_000_000);
        let check = check_digit(ten.chars().filter_map(|c| c.to_digit(10)));
        Self(format!("{ten}{check}"))
    }
}

fn index_number(text: &str) -> Result<String, Refusal> {
    const SHAPE: Refusal = Refusal::because("An index number is eleven digits.");
    const CHECK: Refusal = Refusal::because(
        "The check digit of the index number does not fit: look for a digit mistyped.",
    );
    let eleven: [u32; 11] = digits(text).ok_or(SHAPE)?;
    let fits = check_digit(eleven[..10].iter().copied()) == eleven[10];
    if fits { Ok(text.to_owned()) } else { Err(CHECK) }
}

/// ISO 7064 MOD 11,10.
fn check_digit(digits: impl Iterator<Item = u32>) -> u32 {
    let product = digits.fold(10, |product, digit| match (product + digit) % 10 {
        0 => 9,
        sum => sum * 2 % 11,
    });
    (11 - product) % 10
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;

    use super::*;
    use crate::word::testing::{reads, refused};

    #[test]
    fn the_published_numbers_are_index_numbers() {
        for number in ["10000000000", "48271930566", "99999999994", "73018462597"] {
            assert!(reads::<IndexNumber>(number), "{number}");
        }
    }

    #[test]
    fn a_number_of_another_shape_is_refused() {
        for number in [
            "",
            "4827193056",
            "482719305660",
            "4827193056A",
            " 48271930566",
            "４８２７１９３０５６６",
        ] {
            assert!(!reads::<IndexNumber>(number), "{number}");
        }
    }

    #[test]
    fn a_wrong_check_digit_has_its_own_sentence_and_is_not_repeated() {
        let (_, told) = refused::<IndexNumber>(&"48271930567".into());
        assert!(told.contains("check digit") && !told.contains("48271930567"), "{told}");
    }

    #[test]
    fn debug_output_hides_the_number_and_shows_an_id() {
        assert_eq!(format!("{:?}", IndexNumber::from_ten_digits(7)), "IndexNumber(…)");
        let id = ChildId::new();
        assert!(format!("{id:?}").contains(&id.to_string()));
        assert_eq!(id.0.get_version_num(), 4);
    }

    proptest! {
        #[test]
        fn a_random_number_parses_and_survives_json(seed: u64) {
            let number = IndexNumber::random(&mut rand_chacha::ChaCha20Rng::seed_from_u64(seed));
            prop_assert_eq!(IndexNumber::parse(number.as_str()).unwrap(), number.clone());
            let json = serde_json::to_string(&number).unwrap();
            prop_assert_eq!(serde_json::from_str::<IndexNumber>(&json).unwrap(), number);
        }

        #[test]
        fn any_single_digit_changed_is_noticed(ten in 0..10_000_000_000_u64, at in 0..11_usize, by in 1..10_u8) {
            let mut bytes = IndexNumber::from_ten_digits(ten).to_string().into_bytes();
            bytes[at] = b'0' + (bytes[at] - b'0' + by) % 10;
            prop_assert!(IndexNumber::parse(std::str::from_utf8(&bytes).unwrap()).is_err());
        }
    }
}
