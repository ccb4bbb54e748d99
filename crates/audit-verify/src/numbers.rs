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

    /// How many are missing below what was settled, from the first on, or from the first that is here, and a thousand of them; and
    /// how many above are.
    pub(crate) fn missing(&self, from_the_first: bool) -> (u64, Vec<i64>, u64) {
        let first = if from_the_first { Some(1) } else { self.here.first().copied() };
        let (Some(mut expected), Some(last)) = (first, self.here.last()) else {
            return (0, Vec::new(), 0);
        };
        let (mut missing, mut told, mut open) = (0, Vec::new(), 0);
        for number in &self.here {
            let settled = self.settled.clamp(expected, (*number).max(expected));
            missing += self.gap(expected, settled);
            let gap = (expected..settled).filter(|number| !self.void.contains(number));
            told.extend(gap.take(1000 - told.len()));
            open += self.gap(settled, *number);
            expected = expected.max(number.saturating_add(1));
        }
        let after = self.settled.max(last.saturating_add(1));
        missing += self.gap(last.saturating_add(1), after);
        (missing, told, open)
    }

    /// How many numbers from one to before another did not come to nothing.
    fn gap(&self, from: i64, to: i64) -> u64 {
        if from >= to {
            return 0;
        }
        let void = self.void.range(from..to).count() as u64;
        from.abs_diff(to) - void
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
        assert_eq!(numbers.missing(true), (0, vec![], 3), "3, 6 and 7 may be under way");
        assert!(numbers.take(9, 7, &[]));
        assert_eq!(numbers.missing(true), (2, vec![3, 6], 1));
        assert!(!numbers.take(9, 7, &[]), "it is there twice");
        assert!(numbers.take(i64::MAX, i64::MAX, &[]));
        let (missing, told, open) = numbers.missing(true);
        assert!(missing > 1 << 60 && told.len() == 1000 && open == 0);
    }
}
