//! Where a header ends.

/// How much of a header has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Head {
    pub(super) octets: usize,
    pub(super) lines: usize,
    in_line: bool,
}

impl Head {
    /// Takes bytes up to the empty line, and says whether it has come.
    pub(super) fn take(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            self.octets += 1;
            match byte {
                b'\n' if self.in_line => {
                    self.lines += 1;
                    self.in_line = false;
                }
                b'\n' if self.lines > 0 => return true,
                b'\n' | b'\r' => {}
                _ => self.in_line = true,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(parts: &[&str]) -> (bool, usize, usize) {
        let mut head = Head::default();
        let whole = parts.iter().any(|part| head.take(part.as_bytes()));
        (whole, head.octets, head.lines)
    }

    #[test]
    fn a_header_ends_at_its_empty_line() {
        assert_eq!(head(&["GET / HTTP/1.1\r\nhost: a\r\n\r\nbody"]), (true, 27, 2));
        assert_eq!(head(&["GET / HTTP/1.1\nhost: a\n\nbody"]), (true, 24, 2));
    }

    #[test]
    fn a_header_may_come_in_any_parts() {
        assert_eq!(head(&["GET / HTTP/1.1\r", "\nhost: a\r\n", "\r", "\n"]), (true, 27, 2));
    }

    #[test]
    fn empty_lines_before_a_request_do_not_end_it() {
        assert_eq!(head(&["\r\n\r\n"]), (false, 4, 0));
        assert_eq!(head(&["\r\n\r\nGET / HTTP/1.1\r\n\r\n"]), (true, 22, 1));
    }

    #[test]
    fn a_header_without_its_empty_line_is_not_whole() {
        assert_eq!(head(&["GET / HTTP/1.1\r\nhost: a\r\n"]), (false, 25, 2));
    }
}
