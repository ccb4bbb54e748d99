//! Identifiers that are right in form, unique, and out of the ranges given to real people.

use std::collections::HashMap;

const UPN_LETTERS: &[u8; 23] = b"ABCDEFGHJKLMNPQRTUVWXYZ";
const PRIMARIES: u32 = 36;

/// Deals out identifiers, each once; none once a range is used up.
#[derive(Debug, Default)]
pub(super) struct Identifiers {
    nhs: u32,
    uln: u32,
    nino: u32,
    reference: u32,
    temporary: u32,
    upns: HashMap<(usize, usize), u32>,
}

impl Identifiers {
    /// The next NHS number of the range 999, which is kept for tests; some 900,000 there are.
    pub(super) fn nhs_number(&mut self) -> Option<String> {
        while self.nhs < 1_000_000 {
            let digits = format!("999{:06}", scatter(self.nhs, 1_000_000));
            self.nhs += 1;
            if let Some(check) = nhs_check(&digits) {
                return Some(format!("{digits}{check}"));
            }
        }
        None
    }

    /// The next unique learner number beginning 99.
    pub(super) fn uln(&mut self) -> Option<String> {
        while self.uln < 10_000_000 {
            let digits = format!("99{:07}", scatter(self.uln, 10_000_000));
            self.uln += 1;
            if let Some(check) = uln_check(&digits) {
                return Some(format!("{digits}{check}"));
            }
        }
        None
    }

    /// The next National Insurance number with the prefix MW, right in form but last used in 1987.
    pub(super) fn national_insurance_number(&mut self) -> Option<String> {
        let next = self.nino;
        self.nino += 1;
        let suffix = ["A", "B", "C", "D"].get(usize::try_from(next / 1_000_000).ok()?)?;
        Some(format!("MW{:06}{suffix}", scatter(next % 1_000_000, 1_000_000)))
    }

    /// The next reference of a child known to social care.
    pub(super) fn child_reference(&mut self) -> String {
        self.reference += 1;
        format!("CR{:08}", self.reference)
    }

    /// The next UPN of a pupil who entered school in this year, issued by a fictitious school of the authority.
    pub(super) fn upn(&mut self, area: usize, authority: &str, year: usize) -> Option<String> {
        let next = self.upns.entry((area, year)).or_default();
        let (school, serial) = (*next % PRIMARIES, *next / PRIMARIES);
        *next += 1;
        let establishment = 9001 + school + serial / 1000 * PRIMARIES;
        if establishment > 9999 {
            return None;
        }
        let digits = format!("{authority}{establishment}{:02}{:03}", year % 100, serial % 1000);
        upn_check(&digits).map(|check| format!("{check}{digits}"))
    }

    /// The next temporary UPN, which ends in a letter.
    pub(super) fn temporary_upn(&mut self, authority: &str, year: usize) -> Option<String> {
        let (school, serial) = (self.temporary % PRIMARIES, self.temporary / PRIMARIES);
        self.temporary += 1;
        let last = char::from(*UPN_LETTERS.get(usize::try_from(serial / 100).ok()?)?);
        let rest =
            format!("{authority}{}{:02}{:02}{last}", 9001 + school, year % 100, serial % 100);
        upn_check(&rest).map(|check| format!("{check}{rest}"))
    }
}

/// Spreads serial numbers below `size`, a power of ten, over it: each once, in no visible order.
fn scatter(serial: u32, size: u32) -> u32 {
    let spread = (u64::from(serial) * 618_033 + 271_828) % u64::from(size);
    u32::try_from(spread).unwrap_or(serial)
}

/// The check digit of the first nine digits of an NHS number; ten of eleven have one.
pub(crate) fn nhs_check(nine: &str) -> Option<u32> {
    match 11 - weighted(nine) % 11 {
        10 => None,
        11 => Some(0),
        check => Some(check),
    }
}

/// The check digit of the first nine digits of a unique learner number.
pub(super) fn uln_check(nine: &str) -> Option<u32> {
    match weighted(nine) % 11 {
        0 => None,
        rest => Some(10 - rest),
    }
}

/// The sum of nine digits, weighted from ten down to two.
fn weighted(nine: &str) -> u32 {
    nine.chars().filter_map(|c| c.to_digit(10)).zip((2..=10).rev()).map(|(d, w)| d * w).sum()
}

/// The check letter before the other twelve characters of a UPN.
pub(crate) fn upn_check(twelve: &str) -> Option<char> {
    let sum = twelve.bytes().zip(2..).try_fold(0, |sum, (byte, position)| {
        let value = match byte {
            b'0'..=b'9' => usize::from(byte - b'0'),
            letter => UPN_LETTERS.iter().position(|l| *l == letter)?,
        };
        Some(sum + value * position)
    })?;
    UPN_LETTERS.get(sum % 23).copied().map(char::from)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn check_digits_agree_with_the_published_examples() {
        for number in ["9434765870", "9449305552", "4010232137", "9990011117", "9990022224"] {
            assert_eq!(nhs_check(&number[..9]).unwrap().to_string(), number[9..]);
        }
        for upn in ["B801200005001", "P207000016049", "F380209314001", "J81043210900A"] {
            assert_eq!(upn_check(&upn[1..]).unwrap().to_string(), upn[..1]);
        }
        for uln in ["1234567899", "9990000017"] {
            assert_eq!(uln_check(&uln[..9]).unwrap().to_string(), uln[9..]);
        }
    }

    #[test]
    fn a_range_is_dealt_out_once_and_then_ends() {
        let mut identifiers = Identifiers::default();
        let mut numbers = HashSet::new();
        while let Some(number) = identifiers.nhs_number() {
            assert!(numbers.insert(number));
        }
        assert!(numbers.len() > 900_000);
        let mut upns = HashSet::new();
        while let Some(upn) = identifiers.upn(0, "887", 2015) {
            assert!(upns.insert(upn));
        }
        assert!(upns.len() > 900_000);
        let mut temporary = HashSet::new();
        while let Some(upn) = identifiers.temporary_upn("887", 2015) {
            assert!(temporary.insert(upn));
        }
        assert!(temporary.len() > 80_000);
    }
}
