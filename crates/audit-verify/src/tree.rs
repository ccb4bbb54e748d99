//! Merkle trees and proofs as RFC 6962 has them.

use aws_lc_rs::digest::{Context, SHA256};

/// A hash.
pub(crate) type Hash = [u8; 32];

/// SHA-256 of these parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hash = Context::new(&SHA256);
    for part in parts {
        hash.update(part);
    }
    let mut found = [0; 32];
    found.copy_from_slice(hash.finish().as_ref());
    found
}

/// The hash of an entry of a tree.
pub(crate) fn entry(data: &[&[u8]]) -> Hash {
    sha256(&[&[&[0][..]], data].concat())
}

fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// A tree that grows entry by entry: the roots of its full subtrees, the largest first.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    full: Vec<(Hash, u64)>,
    /// How many entries it has.
    pub(crate) entries: u64,
}

impl Tree {
    /// Adds the hash of an entry.
    pub(crate) fn push(&mut self, entry: Hash) {
        let (mut hash, mut size) = (entry, 1);
        while let Some((left, found)) = self.full.last()
            && *found == size
        {
            hash = node(left, &hash);
            size *= 2;
            self.full.pop();
        }
        self.full.push((hash, size));
        self.entries += 1;
    }

    /// The root.
    pub(crate) fn root(&self) -> Hash {
        let mut trees = self.full.iter().rev().map(|(hash, _)| *hash);
        match trees.next() {
            Some(last) => trees.fold(last, |right, left| node(&left, &right)),
            None => sha256(&[]),
        }
    }
}

/// The root to which a path leads from the entry at `index` of a tree of `entries` (RFC 9162, section 2.1.3.2); none where the
/// path does not fit.
pub(crate) fn climb(mut hash: Hash, index: u64, entries: u64, path: &[Hash]) -> Option<Hash> {
    if index >= entries {
        return None;
    }
    let (mut at, mut last) = (index, entries - 1);
    for step in path {
        if last == 0 {
            return None;
        }
        if at % 2 == 1 || at == last {
            hash = node(step, &hash);
            if at % 2 == 0 {
                while at % 2 == 0 && at != 0 {
                    at /= 2;
                    last /= 2;
                }
            }
        } else {
            hash = node(&hash, step);
        }
        at /= 2;
        last /= 2;
    }
    (last == 0).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    /// The entries and roots that implementations of RFC 6962 are tested by.
    const ENTRIES: [&[u8]; 8] = [
        b"",
        &[0x00],
        &[0x10],
        &[0x20, 0x21],
        &[0x30, 0x31],
        &[0x40, 0x41, 0x42, 0x43],
        &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
        &[
            0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d,
            0x6e, 0x6f,
        ],
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn the_roots_are_those_of_the_reference() {
        let mut tree = Tree::default();
        assert_eq!(hex(&tree.root()), ROOTS[0]);
        for (data, root) in ENTRIES.iter().zip(&ROOTS[1..]) {
            tree.push(entry(&[data]));
            assert_eq!(hex(&tree.root()), *root);
        }
    }

    fn path(hashes: &[Hash], index: usize) -> Vec<Hash> {
        if hashes.len() < 2 {
            return Vec::new();
        }
        let split = hashes.len().next_power_of_two() / 2;
        let root = |hashes: &[Hash]| {
            let mut tree = Tree::default();
            for hash in hashes {
                tree.push(*hash);
            }
            tree.root()
        };
        let (left, right) = hashes.split_at(split);
        if index < split {
            [path(left, index), vec![root(right)]].concat()
        } else {
            [path(right, index - split), vec![root(left)]].concat()
        }
    }

    #[test]
    fn every_entry_of_every_tree_climbs_to_its_root_and_nowhere_else() {
        let hashes: Vec<_> = (0_u8..33).map(|n| entry(&[&[n]])).collect();
        for size in 1..=hashes.len() {
            let mut tree = Tree::default();
            hashes[..size].iter().for_each(|hash| tree.push(*hash));
            for index in 0..size {
                let path = path(&hashes[..size], index);
                let climb =
                    |at: usize, path: &[Hash]| climb(hashes[index], at as u64, size as u64, path);
                assert_eq!(climb(index, &path), Some(tree.root()), "{index} of {size}");
                let other = (index + 1) % size;
                assert!(size == 1 || climb(other, &path) != Some(tree.root()), "{index} of {size}");
                assert_ne!(climb(index, &[&path[..], &[hashes[0]]].concat()), Some(tree.root()));
            }
        }
    }
}
