//! Homes, schools and practices: as many to a child as in England, those nearby with numbers nearby.

use crate::chance::Chance;

const AREAS: &str = "AL B BA BB BD BH BL BN BR BS CA CB CH CM CO CR CT CV CW DA DE DH DL DN DT DY E EN EX FY GL GU HA HD HG HP HR \
    HU HX IG IP KT L LA LE LN LS LU M ME MK N NE NG NN NR NW OL OX PE PL PO PR RG RH RM S SE SG SK SL SM SN SO SP SR SS ST SW SY \
    TA TF TN TQ TR TS TW UB W WA WD WF WN WR WS WV YO";
const TOWNS: &str = "Albanbury Birstall Bathwick Blackmoor Bradley Bournebridge Boltwood Brighthelm Bromfield Brisford \
    Carlby Cambourne Chesterley Chelmbury Colford Croyfield Canterfield Coverley Crewbank Dartwell Derwent Durbridge \
    Darlford Donfield Dorwick Dudbury Eastham Enfold Exbridge Fyldeham Glosterton Guildbury Harfield Huddersby Harrowgate \
    Hempstow Herewick Hullbridge Halford Ilbury Ipsford Kingsbury Liverbank Lanford Leichley Linbury Leedham Lutonby";
const WORDS: &str = "High Station Church Victoria Mill Green Manor Park Queens Kings School New York Grange Albert Springfield \
    Windsor Chestnut Oak Meadow Orchard Beech Elm Cedar Hillside Warwick Stanley Alexandra Cross London North South West East \
    George Chapel Broad Bridge Market Castle Priory Abbey Bath Salisbury Clarence Cambridge Oxford Lime Maple Birch Hazel \
    Holly Rowan Willow Ash Thorn Heath Moor Wood Field Brook River Lake Hill Valley Ridge Tower Temple Lodge Hall Court Cromwell \
    Nelson Wellington Gladstone Churchill Shakespeare Milton Byron Tennyson Wordsworth Kipling Dickens Swan Lark Robin Heron";
const KINDS: &str = "Street Road Lane Avenue Close Drive Crescent Way Gardens Terrace Grove Place";

/// Postcodes that there may be: areas, 29 districts, 10 sectors, 400 units.
const UNITS: &[u8] = b"ABDEFGHJLNPQRSTUWXYZ";

/// An address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The number of the house.
    pub house: String,
    /// The street.
    pub street: String,
    /// The town.
    pub town: String,
    /// The postcode.
    pub postcode: String,
    /// Where it lies: homes nearby have numbers nearby.
    pub at: usize,
}

/// Where a population lives.
#[derive(Debug)]
pub(crate) struct Places {
    areas: Vec<&'static str>,
    towns: Vec<&'static str>,
    words: Vec<&'static str>,
    kinds: Vec<&'static str>,
    pub(crate) postcodes: usize,
    pub(crate) schools: usize,
    pub(crate) practices: usize,
}

impl Places {
    /// For so many children, eight to a postcode, 500 to a school, 1,900 to a practice.
    pub(crate) fn new(children: usize) -> Self {
        let words = |list: &'static str| list.split_whitespace().collect::<Vec<_>>();
        Self {
            areas: words(AREAS),
            towns: words(TOWNS),
            words: words(WORDS),
            kinds: words(KINDS),
            postcodes: (children / 8).max(10),
            schools: (children / 500).max(5),
            practices: (children / 1900).max(2),
        }
    }

    /// A home anywhere.
    pub(crate) fn home(&self, chance: &mut Chance) -> Home {
        let at = chance.below(self.postcodes);
        let number = (1 + chance.below(180)).to_string();
        self.home_at(at, number)
    }

    fn home_at(&self, at: usize, house: String) -> Home {
        let all = self.areas.len() * 29 * 10 * UNITS.len() * UNITS.len();
        let step = all / self.postcodes;
        let hash = mixed(at);
        let code = at * step + hash % step.max(1);
        let (rest, last) = (code / UNITS.len(), UNITS[code % UNITS.len()]);
        let (rest, first) = (rest / UNITS.len(), UNITS[rest % UNITS.len()]);
        let (district, sector) = (rest / 10, rest % 10);
        let area = self.areas[district / 29 % self.areas.len()];
        let postcode = format!(
            "{area}{} {sector}{}{}",
            1 + district % 29,
            char::from(first),
            char::from(last)
        );
        // Some words are on many streets, most on few.
        let word = hash / 7 % self.words.len();
        let word = if hash.is_multiple_of(3) { word % 30 } else { word };
        let street = format!("{} {}", self.words[word], self.kinds[hash / 1009 % self.kinds.len()]);
        let town = self.towns[district / 5 % self.towns.len()].to_owned();
        Home { house, street, town, postcode, at }
    }

    /// A school nearby, mostly a large one.
    pub(crate) fn school(&self, chance: &mut Chance, home: &Home) -> u64 {
        let two = [0, 1].map(|_| Self::near(chance, home.at, self.postcodes, self.schools, 7));
        two.into_iter().max_by_key(|school| mixed(*school)).unwrap_or_default() as u64
    }

    /// A practice nearby.
    pub(crate) fn practice(&self, chance: &mut Chance, home: &Home) -> u64 {
        Self::near(chance, home.at, self.postcodes, self.practices, 3) as u64
    }

    fn near(chance: &mut Chance, at: usize, of: usize, count: usize, width: usize) -> usize {
        (at * count / of + chance.below(width)) % count
    }
}

/// The number as a hash of it.
fn mixed(number: usize) -> usize {
    let mut hash = (number as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((hash ^ (hash >> 31)) >> 1).unwrap_or_default()
}
