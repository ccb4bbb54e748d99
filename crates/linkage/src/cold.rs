//! The model before anything was learnt: the shares of published studies and of design.

use std::collections::BTreeMap;

use crate::{
    compare::{Field, Level},
    model::Kin,
};

/// Field, level, m, u; u of 0 stands for the frequency of the value. The m of levels that exclude one another add up to one.
pub(crate) const WEIGHTS: [(Field, Level, f64, f64); 68] = {
    use Field::{
        Carer, DateOfBirth, FamilyName, FurtherNames, Gender, GivenName, House, Identifier,
        Postcode, Practice, School, Street, Town,
    };
    use Level::{
        AlikeHere, AnotherRealName, Close, Different, DifferentHere, Distant, Initial, MonthAndDay,
        Nickname, OneDigit, OneEdit, OtherGivenName, Part, Placeholder, Same, SameArea,
        SameDistrict, SameFamilyName, SameGivenName, SameHere, SameSector, SameWithHouse, SameYear,
        Swapped, SwappedLike, SwappedOneDigit, SwappedSame, TwoEdits, TwoParts, Variant,
        WithinWhatIsKnown,
    };
    [
        (FamilyName, Same, 0.85, 0.0),
        (FamilyName, Variant, 0.01, 0.0),
        (FamilyName, Part, 0.03, 2e-4),
        (FamilyName, OneEdit, 0.038, 6e-4),
        (FamilyName, Close, 0.01, 1e-3),
        (FamilyName, Distant, 0.01, 6e-3),
        (FamilyName, Different, 0.04, 0.985),
        (FamilyName, SwappedSame, 0.01, 0.0),
        (FamilyName, SwappedLike, 0.002, 1e-3),
        (GivenName, Same, 0.83, 0.0),
        (GivenName, Variant, 0.01, 0.0),
        (GivenName, Nickname, 0.04, 3e-3),
        (GivenName, Initial, 0.01, 0.05),
        (GivenName, OneEdit, 0.045, 3e-3),
        (GivenName, Close, 0.015, 6e-3),
        (GivenName, Distant, 0.01, 2e-2),
        (GivenName, OtherGivenName, 0.02, 6e-3),
        (GivenName, AnotherRealName, 0.01, 0.01),
        (GivenName, Different, 0.01, 0.90),
        (GivenName, SwappedSame, 0.95, 0.0),
        (GivenName, SwappedLike, 0.05, 3e-3),
        (FurtherNames, Same, 0.80, 0.0),
        (FurtherNames, Initial, 0.05, 0.06),
        (FurtherNames, Close, 0.05, 0.01),
        (FurtherNames, Different, 0.10, 0.93),
        (DateOfBirth, Same, 0.93, 1.0 / 6574.0),
        (DateOfBirth, Swapped, 0.01, 1.0 / 6574.0),
        (DateOfBirth, OneDigit, 0.025, 4.5e-3),
        (DateOfBirth, MonthAndDay, 0.005, 1.2e-3),
        (DateOfBirth, TwoParts, 0.015, 4e-3),
        (DateOfBirth, SwappedOneDigit, 0.002, 1.5e-3),
        (DateOfBirth, SameYear, 0.006, 0.047),
        (DateOfBirth, Different, 0.007, 0.93),
        (DateOfBirth, Placeholder, 0.93, 6e-4),
        (DateOfBirth, WithinWhatIsKnown, 0.93, 0.0),
        (Postcode, Same, 0.78, 0.0),
        (Postcode, OneEdit, 0.03, 2e-5),
        (Postcode, TwoEdits, 0.005, 5e-5),
        (Postcode, SameSector, 0.01, 1.5e-4),
        (Postcode, SameDistrict, 0.035, 5e-4),
        (Postcode, SameArea, 0.05, 0.012),
        (Postcode, Different, 0.09, 0.987),
        (House, Same, 0.90, 0.08),
        (House, Part, 0.02, 0.02),
        (House, Different, 0.08, 0.90),
        (Street, SameWithHouse, 0.30, 1.5e-4),
        (Street, Same, 0.05, 2e-3),
        (Street, OneEdit, 0.05, 1e-3),
        (Street, Different, 0.60, 0.997),
        (Street, SameHere, 0.85, 0.7),
        (Street, AlikeHere, 0.10, 0.03),
        (Street, DifferentHere, 0.05, 0.27),
        (Town, Same, 0.70, 2e-3),
        (Town, OneEdit, 0.05, 1e-3),
        (Town, Different, 0.25, 0.997),
        (Gender, Same, 0.985, 0.5),
        (Gender, Different, 0.015, 0.5),
        (Carer, Same, 0.68, 0.0),
        (Carer, OneEdit, 0.06, 4e-3),
        (Carer, SameGivenName, 0.04, 0.0),
        (Carer, SameFamilyName, 0.12, 5e-3),
        (Carer, Different, 0.10, 0.99),
        (School, Same, 0.85, 5e-5),
        (School, Different, 0.15, 1.0),
        (Practice, Same, 0.85, 1.5e-4),
        (Practice, Different, 0.15, 1.0),
        (Identifier, Same, 0.9998, 1.0 / 12e6),
        (Identifier, Different, 2e-4, 0.9),
    ]
};

/// How children of one family agree: of a hundred children some three have a twin, most have a brother or sister, and twins whose
/// names are one slip apart are hardly known, since parents tell their children apart.
pub(crate) fn kin() -> Kin {
    use Level::{
        AnotherRealName, Close, Different, Distant, Initial, MonthAndDay, Nickname, OneDigit,
        OneEdit, OtherGivenName, Placeholder, Same, SameYear, Swapped, SwappedLike,
        SwappedOneDigit, SwappedSame, TwoParts, Variant, WithinWhatIsKnown,
    };
    let given = [
        (Same, 1e-4),
        (SwappedSame, 1e-4),
        (SwappedLike, 2e-4),
        (Variant, 2e-4),
        (Nickname, 2e-4),
        (OneEdit, 2e-4),
        (Close, 2e-4),
        (Distant, 4e-3),
        (Initial, 0.06),
        (OtherGivenName, 0.02),
        (AnotherRealName, 0.04),
        (Different, 0.88),
    ];
    let further = [(Same, 0.05), (Initial, 0.06), (Close, 0.03), (Different, 0.86)];
    let birth = [
        (Same, 3e-4),
        (Placeholder, 3e-3),
        (Swapped, 3e-4),
        (OneDigit, 0.01),
        (MonthAndDay, 3e-3),
        (TwoParts, 0.02),
        (SwappedOneDigit, 2e-3),
        (SameYear, 0.03),
        (Different, 0.93),
        (WithinWhatIsKnown, 0.08),
    ];
    let map = |shares: &[(Level, f64)]| shares.iter().copied().collect::<BTreeMap<_, _>>();
    Kin {
        twins: 0.03,
        siblings: 1.2,
        one_gender: 0.67,
        in_use: 0.01,
        given: map(&given),
        further: map(&further),
        birth: map(&birth),
    }
}
