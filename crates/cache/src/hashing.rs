//! The hash of the maps in here. A key is hashed several times on its way through the tiers, and the
//! standard library's hash is most of such a step. This one has a seed that no outsider knows, drawn
//! once for each map, so that nobody can prepare keys that meet.

use std::hash::{BuildHasher, Hasher};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Makes hashers with one seed.
#[derive(Debug, Clone)]
pub(crate) struct Seeded(u64);

impl Default for Seeded {
    fn default() -> Self {
        Self(random())
    }
}

/// A number that nobody else has, and that nobody can guess.
pub(crate) fn random() -> u64 {
    getrandom::u64().expect("the system's random source works")
}

impl BuildHasher for Seeded {
    type Hasher = Hash;

    fn build_hasher(&self) -> Hash {
        Hash(self.0)
    }
}

/// An odd number without a pattern: 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// What was written so far is the seed of what comes.
#[derive(Debug)]
pub(crate) struct Hash(u64);

impl Hasher for Hash {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    // Lengths before bytes that tell themselves apart; one multiplication is enough.
    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = u128::from(self.0 ^ number) * u128::from(GOLDEN);
        self.0 = (mixed >> 64) as u64 ^ mixed as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_and_numbers_spread_over_a_map() {
        let seeded = Seeded::default();
        let mut places = [0_u32; 64];
        let mut seen = HashSet::new();
        for number in 0..6_400_u64 {
            for hash in [
                seeded.hash_one(format!("user:{number}").as_bytes()),
                seeded.hash_one(number),
            ] {
                places[(hash % 64) as usize] += 1;
                seen.insert(hash);
            }
        }
        assert_eq!(seen.len(), 12_800, "no two meet");
        assert!(places.iter().all(|count| (120..300).contains(count)));
    }

    #[test]
    fn another_map_has_another_order() {
        let (one, other) = (Seeded::default(), Seeded::default());
        assert_ne!(one.hash_one(b"user:7"), other.hash_one(b"user:7"));
    }
}
