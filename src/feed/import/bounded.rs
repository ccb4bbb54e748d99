//! A reader that gives out only so much before it must be allowed more: no row, text or tag grows in memory beyond it.

use std::io::{self, BufRead, Read};

use super::unreadable;

/// A reader with an allowance.
#[derive(Debug)]
pub(super) struct Bounded<R> {
    inner: R,
    left: usize,
}

impl<R: BufRead> Bounded<R> {
    /// Nothing may be read yet.
    pub(super) fn of(inner: R) -> Self {
        Self { inner, left: 0 }
    }

    /// Allows so many bytes from here, however many were left.
    pub(super) fn allow(&mut self, bytes: usize) {
        self.left = bytes;
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let left = self.left;
        let held = self.inner.fill_buf()?;
        if left == 0 && !held.is_empty() {
            return Err(unreadable("A row, a text or a tag is over 64 KiB."));
        }
        Ok(&held[..held.len().min(left)])
    }

    fn consume(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
        self.inner.consume(bytes);
    }
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let held = self.fill_buf()?;
        let bytes = held.len().min(into.len());
        into[..bytes].copy_from_slice(&held[..bytes]);
        self.consume(bytes);
        Ok(bytes)
    }
}
