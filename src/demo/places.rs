//! Streets, postcodes and telephone numbers, none of them anybody's.

use super::{chance::Chance, row::Address};

const FIRST: [&str; 60] = [
    "Alder",
    "Applegarth",
    "Barley",
    "Beacon",
    "Bellflower",
    "Birch",
    "Bramble",
    "Brook",
    "Buttercup",
    "Cedar",
    "Chestnut",
    "Clover",
    "Coppice",
    "Cornfield",
    "Cowslip",
    "Curlew",
    "Damson",
    "Dovecote",
    "Elder",
    "Example",
    "Fern",
    "Foxglove",
    "Gorse",
    "Hawthorn",
    "Hazel",
    "Heron",
    "Hollybush",
    "Honeysuckle",
    "Kestrel",
    "Kingfisher",
    "Lark",
    "Laurel",
    "Lavender",
    "Linnet",
    "Magnolia",
    "Mallow",
    "Maple",
    "Meadow",
    "Millstream",
    "Mulberry",
    "Nightingale",
    "Orchard",
    "Partridge",
    "Pear Tree",
    "Plover",
    "Poplar",
    "Primrose",
    "Quince",
    "Rowan",
    "Rush",
    "Saffron",
    "Sandpiper",
    "Skylark",
    "Sorrel",
    "Swallow",
    "Teasel",
    "Thistle",
    "Walnut",
    "Willow",
    "Yarrow",
];
const LAST: [&str; 12] = [
    "Road", "Street", "Avenue", "Close", "Drive", "Lane", "Way", "Gardens", "Crescent", "Grove",
    "Court", "Rise",
];
const HOUSES: [&str; 10] = [
    "Anchor", "Bosun", "Capstan", "Compass", "Ferry", "Keel", "Lantern", "Mizzen", "Quayside",
    "Tiller",
];
const INWARD: &[u8; 20] = b"ABDEFGHJLNPQRSTUWXYZ";

/// Where the children of the demo live.
#[derive(Debug)]
pub(super) struct Place {
    /// The authority's three digits.
    pub(super) authority: &'static str,
    /// A short name that goes into e-mail addresses.
    pub(super) slug: &'static str,
    /// The postcode districts, with their post towns.
    districts: &'static [(&'static str, &'static str)],
    digit: u32,
}

/// Medway and Hull.
pub(super) const PLACES: [Place; 2] = [
    Place {
        authority: "887",
        slug: "medway",
        districts: &[
            ("ME4", "Chatham"),
            ("ME5", "Chatham"),
            ("ME6", "Snodland"),
            ("ME7", "Gillingham"),
            ("ME8", "Gillingham"),
        ],
        digit: 1,
    },
    Place {
        authority: "810",
        slug: "hull",
        districts: &[
            ("HU1", "Hull"),
            ("HU2", "Hull"),
            ("HU3", "Hull"),
            ("HU4", "Hull"),
            ("HU5", "Hull"),
            ("HU6", "Hull"),
            ("HU7", "Hull"),
            ("HU8", "Hull"),
            ("HU9", "Hull"),
        ],
        digit: 2,
    },
];

/// A dwelling in this place: a street always has the same postcode, a dwelling the same UPRN.
pub(super) fn address(chance: &mut Chance, place: &Place) -> Address {
    let (first, last) = (chance.index(FIRST.len()), chance.index(LAST.len()));
    let house = chance.between(1, 199);
    let flat = if chance.permille(120) { chance.between(1, 24) } else { 0 };
    dwelling(place, (first, last), (house, flat), chance.permille(850))
}

fn dwelling(
    place: &Place,
    (first, last): (usize, usize),
    (house, flat): (u32, u32),
    with_uprn: bool,
) -> Address {
    let street = first * LAST.len() + last;
    let (district, town) = place.districts[street % place.districts.len()];
    let letter = |at: usize| char::from(INWARD[at % INWARD.len()]);
    let stretch = usize::try_from(house / 50).unwrap_or_default();
    let postcode = format!(
        "{district} {}{}{}",
        street % 9 + 1,
        letter(street / 9),
        letter(street / 180 * 4 + stretch)
    );
    let mut lines = vec![format!("{house} {} {}", FIRST[first], LAST[last])];
    if flat > 0 {
        let block = HOUSES[(street + stretch) % HOUSES.len()];
        lines.insert(0, format!("Flat {flat}, {block} House"));
    }
    let uprn = with_uprn.then(|| format!("9{}0{street:04}{house:03}{flat:02}", place.digit));
    Address { lines, town, postcode, uprn }
}

/// A mobile number of Ofcom's range for drama.
pub(super) fn mobile(chance: &mut Chance) -> String {
    format!("07700 900{:03}", chance.between(0, 999))
}

/// A home's telephone number of Ofcom's range for drama.
pub(super) fn landline(chance: &mut Chance) -> String {
    format!("01632 960{:03}", chance.between(0, 999))
}

/// An office's telephone number of Ofcom's ranges for drama.
pub(super) fn office(serial: u32) -> String {
    match serial % 3 {
        0 => format!("0113 496 0{:03}", serial * 7 % 1000),
        1 => format!("020 7946 0{:03}", serial * 7 % 1000),
        _ => format!("01632 960{:03}", serial * 7 % 1000),
    }
}

/// A freephone number of Ofcom's range for drama.
pub(super) fn freephone(serial: u32) -> String {
    format!("0808 157 0{:03}", serial * 7 % 1000)
}
