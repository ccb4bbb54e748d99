//! Whoever guesses waits: how long, and by what they are told apart (security rules AUTH-6 and AUTH-7).

use std::net::{IpAddr, Ipv6Addr};

use chrono::{DateTime, TimeDelta, Utc};

use crate::problem::{Kind, Problem};

pub(crate) mod store;

/// How long the next try of a name from a network waits, in seconds, after one, two, three and more tries in vain.
const PAUSES: [i64; 4] = [1, 3, 5, 10];
/// As many tries of a name from one network as are let through in [`TRIES_WITHIN`].
pub(crate) const MOST_TRIES: usize = 10;
pub(crate) const TRIES_WITHIN: TimeDelta = TimeDelta::minutes(5);
/// As many tries of a name from all networks as are let through in [`NAME_WITHIN`]; from a network that its account is
/// known to sign in from, it does not count.
pub(crate) const MOST_OF_NAME: i64 = 100;
pub(crate) const NAME_WITHIN: TimeDelta = TimeDelta::hours(1);
/// As many tries of any name from one address, and of anything from one network, as are let through in [`PLACE_WITHIN`].
pub(crate) const MOST_OF_ADDRESS: i64 = 20;
pub(crate) const MOST_OF_NETWORK: i64 = 60;
pub(crate) const PLACE_WITHIN: TimeDelta = TimeDelta::minutes(1);
/// How long a network stays known after an account signed in from it.
pub const KNOWN_FOR: TimeDelta = TimeDelta::days(30);

/// What is noted of those who tried in vain, or are trying now.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    /// When this name was last tried from this network, the latest first.
    pub(crate) here: Vec<DateTime<Utc>>,
    /// When this name's last hundredth try was, from anywhere.
    pub(crate) of_name: Option<DateTime<Utc>>,
    /// When this address's last twentieth try of any name was.
    pub(crate) of_address: Option<DateTime<Utc>>,
    /// When this network's last sixtieth try was, of anything.
    pub(crate) of_network: Option<DateTime<Utc>>,
    /// Whether the name's account signed in from this network of late.
    pub(crate) known: bool,
}

impl Tries {
    /// Refuses a try that comes too early, and says when it may come.
    pub(crate) fn check(&self, now: DateTime<Utc>) -> Result<(), Problem> {
        match self.wait(now) {
            0 => Ok(()),
            wait => Err(Problem::from(Kind::TooManyRequests).retry_after(wait)),
        }
    }

    /// How many seconds a try must still wait.
    fn wait(&self, now: DateTime<Utc>) -> u32 {
        let pause = PAUSES.iter().take(self.here.len()).next_back();
        let limits = [
            self.here.first().zip(pause).map(|(last, &pause)| *last + TimeDelta::seconds(pause)),
            self.here.get(MOST_TRIES - 1).map(|tenth| *tenth + TRIES_WITHIN),
            self.of_name.filter(|_| !self.known).map(|hundredth| hundredth + NAME_WITHIN),
            self.of_address.map(|twentieth| twentieth + PLACE_WITHIN),
            self.of_network.map(|sixtieth| sixtieth + PLACE_WITHIN),
        ];
        limits.into_iter().flatten().max().map_or(0, |until| seconds(until - now))
    }
}

/// Whole seconds, rounded up.
fn seconds(wait: TimeDelta) -> u32 {
    u32::try_from((wait.num_milliseconds() + 999).div_euclid(1000)).unwrap_or(0)
}

/// Where a request comes from: its address, and the /24 or /56 around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) address: String,
    pub(crate) network: String,
}

impl Place {
    /// The place of an address; requests without one share a place.
    pub(crate) fn of(address: Option<IpAddr>) -> Self {
        let address = address.map_or(IpAddr::from([0, 0, 0, 0]), |address| address.to_canonical());
        let network = match address {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                format!("{a}.{b}.{c}.0/24")
            }
            IpAddr::V6(address) => {
                format!("{}/56", Ipv6Addr::from(u128::from(address) >> 72 << 72))
            }
        };
        Self { address: address.to_string(), network }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn here(tries: impl IntoIterator<Item = i64>) -> Tries {
        let mut here: Vec<_> = tries.into_iter().map(at).collect();
        here.reverse();
        Tries { here, ..Tries::default() }
    }

    #[test]
    fn each_try_waits_longer_than_the_one_before() {
        assert_eq!(here([]).wait(at(0)), 0);
        for (tries, pause) in [(1, 1), (2, 3), (3, 5), (4, 10), (5, 10), (9, 10)] {
            let tries = here((0..tries).map(|n| n - tries + 1));
            assert_eq!(tries.wait(at(0)), pause);
            assert_eq!(tries.wait(at(pause.into())), 0);
        }
    }

    #[test]
    fn the_eleventh_try_in_five_minutes_waits_for_the_first_to_be_old() {
        let tries = here([0, 1, 4, 9, 19, 29, 39, 49, 59, 69]);
        assert_eq!(tries.wait(at(69)), 231);
        assert_eq!(tries.wait(at(299)), 1);
        assert_eq!(tries.wait(at(300)), 0);
    }

    #[test]
    fn of_all_limits_the_longest_wait_is_told() {
        let tries = Tries {
            of_name: Some(at(-1800)),
            of_address: Some(at(-30)),
            of_network: Some(at(-20)),
            ..here([0])
        };
        assert_eq!(tries.wait(at(0)), 1800);
        assert_eq!(Tries { known: true, ..tries }.wait(at(0)), 40);
    }

    #[test]
    fn a_part_of_a_second_is_waited_for_whole() {
        assert_eq!(seconds(TimeDelta::milliseconds(1)), 1);
        assert_eq!(seconds(TimeDelta::milliseconds(1000)), 1);
        assert_eq!(seconds(TimeDelta::milliseconds(1001)), 2);
        assert_eq!(seconds(TimeDelta::milliseconds(-1)), 0);
    }

    #[test]
    fn a_network_is_a_24_or_a_56() {
        for (address, network) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2ff:a::1", "2001:db8:1:200::/56"),
            ("2001:db8:1:300::1", "2001:db8:1:300::/56"),
        ] {
            assert_eq!(Place::of(Some(address.parse().unwrap())).network, network);
        }
        assert_eq!(Place::of(None).network, "0.0.0.0/24");
    }
}
