//! What the clients ask: keys by a Zipf distribution, reads and writes in a mix.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use rand::{Rng, SeedableRng, distr::Distribution, rngs::SmallRng};
use rand_distr::Zipf;

use crate::{args, table::Versions};

/// One transaction: a single statement that commits by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reads the row of a key.
    Read(i32),
    /// Gives a key's row a newer version; one that is newer already stays.
    Write {
        /// The key.
        key: i32,
        /// The new version.
        version: i64,
    },
}

/// The endless operations of one client.
#[derive(Debug)]
pub struct Mix {
    random: SmallRng,
    keys: Zipf<f64>,
    write_share: f64,
    versions: Arc<Versions>,
    doubted: Vec<i32>,
}

impl Mix {
    /// Those of client number `client`; the same seed makes the same keys.
    ///
    /// # Errors
    ///
    /// There is no such distribution.
    pub fn new(workload: &args::Workload, client: u32, versions: Arc<Versions>) -> Result<Self> {
        let keys = Zipf::new(f64::from(workload.keys), workload.zipf)
            .map_err(|error| anyhow!("--zipf: {error}"))?;
        let seed = workload.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(client));
        Ok(Self {
            random: SmallRng::seed_from_u64(seed),
            keys,
            write_share: workload.writes / 100.0,
            versions,
            doubted: Vec::new(),
        })
    }

    /// The next of them.
    pub fn draw(&mut self) -> Operation {
        if let Some(key) = self.doubted.pop() {
            return Operation::Read(key);
        }
        let key = self.key();
        if self.write_share > 0.0 && self.random.random_bool(self.write_share) {
            return Operation::Write { key, version: self.versions.next() };
        }
        Operation::Read(key)
    }

    /// Has a key read soon: a write of it changed nothing, which is right only if a newer one was there.
    pub fn doubt(&mut self, key: i32) {
        self.doubted.push(key);
    }

    #[expect(clippy::cast_possible_truncation, reason = "the samples are 1 to an i32")]
    fn key(&mut self) -> i32 {
        self.keys.sample(&mut self.random) as i32
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn mix(arguments: &str) -> Mix {
        let words = ["x"].into_iter().chain(arguments.split_whitespace());
        Mix::new(&args::Workload::parse_from(words), 0, Arc::new(Versions::after(10))).unwrap()
    }

    fn counts(mut mix: Mix, keys: usize) -> Vec<u32> {
        let mut counts = vec![0; keys];
        for _ in 0..100_000 {
            counts[usize::try_from(mix.key()).unwrap() - 1] += 1;
        }
        counts
    }

    #[test]
    fn a_zipf_of_one_asks_for_the_nth_key_one_nth_as_often() {
        let counts = counts(mix("--keys 1000 --zipf 1"), 1000);
        // The first of 1000 gets 1 / H(1000) = 13.4 %.
        assert!((12_900..13_900).contains(&counts[0]), "{}", counts[0]);
        for rank in [2_u32, 5, 10] {
            let share = f64::from(counts[rank as usize - 1]) / f64::from(counts[0]);
            assert!((share * f64::from(rank) - 1.0).abs() < 0.1, "{rank}: {share}");
        }
    }

    #[test]
    fn a_zipf_of_zero_asks_for_all_alike() {
        for count in counts(mix("--keys 10 --zipf 0"), 10) {
            assert!((9_500..10_500).contains(&count), "{count}");
        }
    }

    #[test]
    fn the_mix_has_its_share_of_writes_with_growing_versions() {
        let mut mix = mix("--keys 10 --writes 20");
        let versions: Vec<i64> = std::iter::repeat_with(|| mix.draw())
            .take(10_000)
            .filter_map(|operation| match operation {
                Operation::Write { version, .. } => Some(version),
                Operation::Read(_) => None,
            })
            .collect();
        assert!((1_800..2_200).contains(&versions.len()), "{}", versions.len());
        assert!(versions.is_sorted_by(|one, next| one < next) && versions[0] == 11);
    }

    #[test]
    fn the_same_seed_asks_the_same_and_another_client_something_else() {
        let take = |mut mix: Mix| std::iter::repeat_with(move || mix.draw()).take(50).collect();
        let first: Vec<Operation> = take(mix("--keys 1000 --zipf 0.5"));
        assert_eq!(first, take(mix("--keys 1000 --zipf 0.5")));
        let workload = args::Workload::parse_from(["x", "--keys", "1000", "--zipf", "0.5"]);
        let other = Mix::new(&workload, 1, Arc::new(Versions::after(0))).unwrap();
        assert_ne!(first, take(other));
    }

    #[test]
    fn a_doubted_key_is_read_next() {
        let mut mix = mix("--keys 10 --writes 100");
        mix.doubt(7);
        assert_eq!(mix.draw(), Operation::Read(7));
        assert!(matches!(mix.draw(), Operation::Write { .. }));
    }
}
