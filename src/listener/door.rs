//! How many connections are open, in all and from one address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Limits;

/// Where every worker counts who is inside.
#[derive(Clone)]
pub(super) struct Door {
    limits: Arc<Limits>,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Default)]
struct Inside {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Door {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits: Arc::new(limits), inside: Arc::default() }
    }

    pub(super) fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.limits)
    }

    /// A place for one connection from `address`, unless all that it may have are taken.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Place> {
        let address = address.to_canonical();
        let counted = !self.limits.trusted_proxies.iter().any(|p| p.to_canonical() == address);
        let mut inside = self.inside();
        if inside.total >= self.limits.connections {
            return None;
        }
        let network = counted.then(|| network(address));
        if let Some(network) = network {
            let open = inside.by_address.get(&network).copied().unwrap_or_default();
            if open >= self.limits.per_address {
                return None;
            }
            inside.by_address.insert(network, open + 1);
        }
        inside.total += 1;
        Some(Place { door: self.clone(), network })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// One connection's place, given back when it is dropped.
pub(super) struct Place {
    door: Door,
    network: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.door.inside();
        inside.total = inside.total.saturating_sub(1);
        let Some(network) = self.network else { return };
        if let Some(open) = inside.by_address.get_mut(&network) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                inside.by_address.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(per_address: usize, connections: usize, trusted: &[&str]) -> Door {
        let trusted_proxies = trusted.iter().map(|address| ip(address)).collect();
        Door::new(Limits { per_address, connections, trusted_proxies, ..Limits::default() })
    }

    fn ip(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    #[test]
    fn an_address_has_only_its_places() {
        let door = door(2, 9, &[]);
        let held = [door.enter(ip("192.0.2.1")), door.enter(ip("::ffff:192.0.2.1"))];
        assert!(held.iter().all(Option::is_some));
        assert!(door.enter(ip("192.0.2.1")).is_none());
        assert!(door.enter(ip("192.0.2.2")).is_some());
    }

    #[test]
    fn a_place_is_given_back() {
        let door = door(1, 1, &[]);
        for _ in 0..3 {
            assert!(door.enter(ip("192.0.2.1")).is_some());
        }
        let inside = door.inside();
        assert_eq!((inside.total, inside.by_address.len()), (0, 0));
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let door = door(1, 9, &[]);
        let _held = door.enter(ip("2001:db8::1"));
        assert!(door.enter(ip("2001:db8::ffff")).is_none());
        assert!(door.enter(ip("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn a_trusted_proxy_is_bound_only_by_the_total() {
        let door = door(1, 3, &["192.0.2.9"]);
        let held: Vec<_> = (0..3).map(|_| door.enter(ip("192.0.2.9"))).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(door.enter(ip("192.0.2.9")).is_none());
    }
}
