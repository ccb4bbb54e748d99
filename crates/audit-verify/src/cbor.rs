//! As much of deterministic CBOR (RFC 8949, section 4.2.1) as events and roots are hashed in.

/// What is written so far.
#[derive(Debug, Default)]
pub(crate) struct Cbor(Vec<u8>);

impl Cbor {
    fn head(mut self, major: u8, number: u64) -> Self {
        let major = major << 5;
        match number {
            0..24 => self.0.push(major | number.to_le_bytes()[0]),
            24..0x100 => self.0.extend([major | 0x18, number.to_le_bytes()[0]]),
            0x100..0x1_0000 => self.tail(major | 0x19, number, 2),
            0x1_0000..0x1_0000_0000 => self.tail(major | 0x1a, number, 4),
            _ => self.tail(major | 0x1b, number, 8),
        }
        self
    }

    fn tail(&mut self, first: u8, number: u64, length: usize) {
        self.0.push(first);
        self.0.extend(&number.to_be_bytes()[8 - length..]);
    }

    pub(crate) fn array(self, length: usize) -> Self {
        self.head(4, length as u64)
    }

    pub(crate) fn number(self, number: i64) -> Self {
        match u64::try_from(number) {
            Ok(number) => self.head(0, number),
            Err(_) => self.head(1, (!number).unsigned_abs()),
        }
    }

    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        let mut with = self.head(2, bytes.len() as u64);
        with.0.extend_from_slice(bytes);
        with
    }

    pub(crate) fn text(self, text: &str) -> Self {
        let mut with = self.head(3, text.len() as u64);
        with.0.extend_from_slice(text.as_bytes());
        with
    }

    pub(crate) fn null(mut self) -> Self {
        self.0.push(0xf6);
        self
    }

    pub(crate) fn maybe<T>(self, value: Option<T>, write: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => write(self, value),
            None => self.null(),
        }
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_texts_and_bytes_are_those_of_the_rfc() {
        // RFC 8949, appendix A.
        for (number, expected) in [
            (0, "00"),
            (23, "17"),
            (24, "1818"),
            (100, "1864"),
            (1000, "1903e8"),
            (1_000_000, "1a000f4240"),
            (1_000_000_000_000, "1b000000e8d4a51000"),
            (-1, "20"),
            (-10, "29"),
            (-100, "3863"),
            (-1000, "3903e7"),
        ] {
            assert_eq!(crate::hex(&Cbor::default().number(number).done()), expected, "{number}");
        }
        assert_eq!(crate::hex(&Cbor::default().text("IETF").done()), "6449455446");
        assert_eq!(crate::hex(&Cbor::default().bytes(&[1, 2, 3, 4]).done()), "4401020304");
        assert_eq!(crate::hex(&Cbor::default().array(3).null().done()), "83f6");
    }
}
