//! Rows in the text form of PostgreSQL's COPY.

use std::{fmt::Display, io::Write};

/// Rows, one after the other, each of values and an end.
#[derive(Debug, Default)]
pub(super) struct Rows {
    bytes: Vec<u8>,
    within: bool,
}

impl Rows {
    /// A value whose form has nothing to be escaped: a number, a date, a code of ours.
    pub(super) fn plain(&mut self, value: impl Display) -> &mut Self {
        self.next();
        // Into memory, which takes everything.
        let _ = write!(self.bytes, "{value}");
        self
    }

    /// Text.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.next();
        for byte in text.bytes() {
            match byte {
                b'\\' => self.bytes.extend(b"\\\\"),
                b'\t' => self.bytes.extend(b"\\t"),
                b'\n' => self.bytes.extend(b"\\n"),
                b'\r' => self.bytes.extend(b"\\r"),
                _ => self.bytes.push(byte),
            }
        }
        self
    }

    /// Bytes.
    pub(super) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.next();
        self.bytes.extend(b"\\\\x");
        for byte in value {
            self.bytes.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        self
    }

    /// A value, or none.
    pub(super) fn some(&mut self, value: Option<impl Display>) -> &mut Self {
        if let Some(value) = value {
            return self.plain(value);
        }
        self.next();
        self.bytes.extend(b"\\N");
        self
    }

    /// The end of a row.
    pub(super) fn end(&mut self) {
        self.bytes.push(b'\n');
        self.within = false;
    }

    /// What was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn next(&mut self) {
        if self.within {
            self.bytes.push(b'\t');
        }
        self.within = true;
    }
}

#[cfg(test)]
mod tests {
    use super::Rows;

    #[test]
    fn what_would_end_a_value_is_escaped() {
        let mut rows = Rows::default();
        rows.text("a\tb\\c\nd").plain(7).some(None::<u8>).some(Some("x")).bytes(&[0, 255]).end();
        rows.text("").plain("t").end();
        let told = String::from_utf8(rows.into_bytes()).unwrap();
        assert_eq!(told, "a\\tb\\\\c\\nd\t7\t\\N\tx\t\\\\x00ff\n\tt\n");
    }
}
