//! What transactions look like, in any dialect.

/// Numbers that follow from a seed (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    /// The numbers of a script.
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).expect("31 bits") % bound
    }

    pub(crate) fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }
}

/// What is said in each place; `CLIENT` is the number of who says it.
///
/// Each client has a row and a table of its own, so that neither waits for the other.
pub(crate) struct Dialect {
    pub(crate) begins: &'static [&'static str],
    pub(crate) reads: &'static [&'static str],
    /// What a client asks of its session, and what drivers look up.
    pub(crate) asks: &'static [&'static str],
    pub(crate) writes: &'static [&'static str],
    pub(crate) sets: &'static [&'static str],
    pub(crate) points: &'static [&'static str],
    pub(crate) errors: &'static [&'static str],
    pub(crate) ends: &'static [&'static str],
}

impl Dialect {
    /// A few transactions, one after the other: who says what.
    pub(crate) fn transactions(&self, random: &mut Random) -> Vec<(usize, String)> {
        let mut texts = Vec::new();
        for _transaction in 0..1 + random.below(4) {
            let client = random.below(2);
            self.transaction(random, client, &mut texts);
        }
        texts
    }

    /// A block, or what looks like one to who does not mind; now and then with a statement of the other client within.
    fn transaction(&self, random: &mut Random, client: usize, texts: &mut Vec<(usize, String)>) {
        let mut say = |who: usize, text: &str| {
            texts.push((who, text.replace("CLIENT", &who.to_string())));
        };
        if random.below(5) > 0 {
            say(client, random.one(self.begins));
        }
        for _statement in 0..random.below(7) {
            let who = if random.below(5) == 0 { 1 - client } else { client };
            let of = match random.below(16) {
                0..=3 => self.reads,
                4..=6 => self.asks,
                7 | 8 => self.writes,
                9 | 10 => self.sets,
                11..=13 => self.points,
                14 => self.errors,
                _ => self.begins,
            };
            say(who, random.one(of));
        }
        if random.below(6) > 0 {
            say(client, random.one(self.ends));
        }
    }
}
