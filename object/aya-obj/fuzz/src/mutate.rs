//! Makes broken inputs from valid ones.

/// A small generator of random numbers (xorshift): the same start gives the same inputs.
pub struct Random(u64);

impl Random {
    /// A generator that starts from a number.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `limit`, or 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next_u64() >> 11) as usize % limit.max(1)
    }
}

/// Numbers at which code tends to break.
const EDGES: &[u64] = &[
    0,
    1,
    2,
    7,
    8,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x0001_0000,
    0x00ff_ffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    i64::MAX as u64,
    u64::MAX - 7,
    u64::MAX,
];

/// The longest input.
const LIMIT: usize = 256 << 10;

/// Mutates inputs of a corpus.
pub struct Mutator {
    /// The source of chance.
    pub random: Random,
    /// What to start from.
    pub corpus: Vec<Vec<u8>>,
}

impl Mutator {
    /// A new input: one of the corpus, changed in a few places.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut data = self.pick().clone();
        let most = 1 << self.random.below(5);
        let changes = 1 + self.random.below(most);
        for _ in 0..changes {
            self.change(&mut data);
        }
        data.truncate(LIMIT);
        data
    }

    fn pick(&mut self) -> &Vec<u8> {
        let index = self.random.below(self.corpus.len());
        &self.corpus[index]
    }

    fn change(&mut self, data: &mut Vec<u8>) {
        if data.is_empty() {
            *data = self.pick().clone();
        }
        let (start, end) = self.region(data);
        let at = start + self.random.below(end - start);
        match self.random.below(12) {
            0..=2 => data[at] ^= 1 << self.random.below(8),
            3 => data[at] = self.random.next_u64() as u8,
            4..=7 => self.number(data, at),
            8 => {
                // Another part of the input in this place.
                let len = 1 + self.random.below(64.min(data.len() - at));
                let from = self.random.below(data.len() - len + 1);
                data.copy_within(from..from + len, at);
            }
            9 => {
                let len = 1 + self.random.below(32.min(data.len() - at));
                data.drain(at..at + len);
            }
            10 => {
                let from = self.pick().clone();
                let start = self.random.below(from.len());
                let len = self.random.below(128.min(from.len() - start) + 1);
                data.splice(at..at, from[start..start + len].iter().copied());
            }
            _ => match self.random.below(8) {
                0 => data.truncate(at),
                _ => self.number(data, at & !7),
            },
        }
    }

    /// Writes a number of 2, 4 or 8 bytes: an edge, or something near what is there.
    fn number(&mut self, data: &mut [u8], at: usize) {
        let size = [2, 4, 4, 8][self.random.below(4)];
        let at = if self.random.below(4) == 0 {
            at
        } else {
            at & !(size - 1)
        };
        let Some(place) = data.get_mut(at..at + size) else {
            return;
        };
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(place);
        let old = u64::from_le_bytes(bytes);
        let new = match self.random.below(3) {
            0 => old
                .wrapping_add(self.random.below(17) as u64)
                .wrapping_sub(8),
            1 => old << self.random.below(9),
            _ => EDGES[self.random.below(EDGES.len())],
        };
        place.copy_from_slice(&new.to_le_bytes()[..size]);
    }

    /// A part of the input: mostly one section, each as likely as the others, or the section headers.
    fn region(&mut self, data: &[u8]) -> (usize, usize) {
        let word = |at: usize| -> Option<usize> {
            let bytes = data.get(at..at + 8)?.try_into().ok()?;
            usize::try_from(u64::from_le_bytes(bytes)).ok()
        };
        let whole = (0, data.len());
        let headers = match word(40) {
            Some(at) if data.starts_with(b"\x7fELF") && at < data.len() => at,
            _ => return whole,
        };
        let count = (data.len() - headers) / 64;
        let (start, len) = match self.random.below(8) {
            0 => (0, 64),
            1 => (headers, data.len() - headers),
            2 => return whole,
            _ => {
                let header = headers + 64 * self.random.below(count);
                match word(header + 24).zip(word(header + 32)) {
                    Some(part) => part,
                    None => return whole,
                }
            }
        };
        let end = start.saturating_add(len).min(data.len());
        if start < end { (start, end) } else { whole }
    }
}
