//! The numbers that an instance gave its events.

use std::collections::BTreeSet;

/// The numbers of one instance: ranges of those that are here or came to nothing.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    here: BTreeSet<i64>,
    void: BTreeSet<i64>,
    settled: i64,
}

impl Numbers {
    /// Takes the number of an event, below which number all were settled, and those that came to nothing; whether no other event
    /// has it.
    pub(crate) fn take(&mut self, serial: i64, settled: i64, voids: &[i64]) -> bool {
        self.settled = self.settled.max(settled);
        self.void.extend(voids);
        self.here.insert(serial)
    }

    /// Which are missing below what was settled, from the first on, or from the first that is here; and how many above are.
    pub(crate) fn missing(&self, from_the_first: bool) -> (Vec<i64>, usize) {
        let first = if from_the_first { Some(1) } else { self.here.first().copied() };
        let (Some(first), Some(last)) = (first, self.here.last()) else { return (Vec::new(), 0) };
        let mut missing: Vec<_> = Vec::new();
        let mut expected = first;
        for number in self.here.iter().chain([&(last + 1)]) {
            let gap = (expected..*number).filter(|number| !self.void.contains(number));
            missing.extend(gap);
            expected = expected.max(number + 1);
        }
        let open = missing.partition_point(|number| *number < self.settled);
        let open = missing.split_off(open);
        (missing, open.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_missing_only_if_it_was_settled_and_did_not_come_to_nothing() {
        let mut numbers = Numbers::default();
        for (serial, settled, voids) in [(1, 1, &[][..]), (2, 2, &[]), (5, 3, &[4]), (8, 3, &[])] {
            assert!(numbers.take(serial, settled, voids));
        }
        assert_eq!(numbers.missing(true), (vec![], 3), "3, 6 and 7 may be under way");
        assert!(numbers.take(9, 7, &[]));
        assert_eq!(numbers.missing(true), (vec![3, 6], 1));
        assert!(!numbers.take(9, 7, &[]), "it is there twice");
    }
}
