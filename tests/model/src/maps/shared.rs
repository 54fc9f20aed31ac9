//! A model of the memory that a buffer and the kernel share: two positions, and a slot for a record every
//! 8 bytes.

pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
use loom::{cell::UnsafeCell, sync::Arc};

/// The words of both sides.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) consumer: AtomicUsize,
    pub(crate) producer: AtomicUsize,
    pub(crate) headers: Vec<AtomicU32>,
    /// Of a perf buffer, whose positions and records are words of 8 bytes.
    pub(crate) head: AtomicU64,
    pub(crate) tail: AtomicU64,
    pub(crate) words: Vec<AtomicU64>,
    /// What records hold: loom finds accesses that race.
    pub(crate) payloads: Vec<UnsafeCell<u64>>,
}

impl Memory {
    /// Memory with room for so many records.
    pub(crate) fn new(records: usize) -> Arc<Self> {
        let slots = records * ROOM / 8;
        Arc::new(Self {
            consumer: AtomicUsize::new(0),
            producer: AtomicUsize::new(0),
            headers: (0..slots).map(|_| AtomicU32::new(0)).collect(),
            head: AtomicU64::new(0),
            tail: AtomicU64::new(0),
            words: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            payloads: (0..slots).map(|_| UnsafeCell::new(0)).collect(),
        })
    }

    /// In bytes.
    pub(crate) fn size(&self) -> usize {
        self.headers.len() * 8
    }

    pub(crate) fn header(&self, position: usize) -> &AtomicU32 {
        &self.headers[position / 8 % self.headers.len()]
    }

    /// Writes the payload of the record at a position.
    pub(crate) fn write(&self, position: usize, value: u64) {
        let cell = &self.payloads[position / 8 % self.headers.len()];
        // SAFETY: loom checks that nobody else accesses it.
        cell.with_mut(|payload| unsafe { *payload = value });
    }

    pub(crate) fn read(&self, position: usize) -> u64 {
        let cell = &self.payloads[position / 8 % self.headers.len()];
        // SAFETY: loom checks that nobody writes it.
        cell.with(|payload| unsafe { *payload })
    }
}

/// One mapping: which of the words it begins with.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) memory: Arc<Memory>,
    pub(crate) begins_with_consumer: bool,
}

/// Where the records of a perf buffer begin.
pub(crate) const PAGE: usize = 1088;

/// The words of a perf buffer.
pub(crate) trait Cell {
    fn of(word: &AtomicU64) -> &Self;
}

impl Cell for AtomicU64 {
    fn of(word: &AtomicU64) -> &Self {
        word
    }
}

impl Shared {
    pub(crate) fn cell<A: Cell>(&self, offset: usize) -> Option<&A> {
        let memory = &self.memory;
        Some(A::of(match offset {
            1024 => &memory.head,
            1032 => &memory.tail,
            _ => memory.words.get(offset.checked_sub(PAGE)? / 8)?,
        }))
    }

    /// # Safety
    ///
    /// None is needed: loom watches the cell.
    pub(crate) unsafe fn bytes(&self, offset: usize, len: usize) -> Option<&[u8]> {
        // The bytes are a copy that lives for ever: the access is what counts.
        let bytes = self.memory.read(offset - PAGE).to_ne_bytes();
        Box::leak(Box::new(bytes)).get(..len)
    }

    /// Nothing that the rules of memory know of.
    #[allow(clippy::unused_self, reason = "as the real one")]
    pub(crate) const fn prefetch(&self, _offset: usize) {}
}

#[derive(Debug)]
pub(crate) struct Word(Shared);

impl Word {
    pub(crate) fn new(memory: Shared) -> Option<Self> {
        Some(Self(memory))
    }

    pub(crate) fn get(&self) -> &AtomicUsize {
        match self.0.begins_with_consumer {
            true => &self.0.memory.consumer,
            false => &self.0.memory.producer,
        }
    }
}

/// The real one is a copy of where a ring's data is.
pub(crate) type Data<'a> = &'a Ring;

#[derive(Debug)]
pub(crate) struct Ring {
    word: Word,
    size: usize,
}

impl Ring {
    pub(crate) fn new(memory: Shared, _start: usize, size: usize) -> Option<Self> {
        Some(Self {
            word: Word::new(memory)?,
            size,
        })
    }

    pub(crate) fn word(&self) -> &AtomicUsize {
        self.word.get()
    }

    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    pub(crate) const fn data(&self) -> Data<'_> {
        self
    }

    pub(crate) fn header(&self, position: usize) -> &AtomicU32 {
        self.memory().header(position)
    }

    /// Nothing that the rules of memory know of.
    #[allow(clippy::unused_self, reason = "as the real one")]
    pub(crate) const fn prefetch(&self, _position: usize) {}

    /// # Safety
    ///
    /// None is needed: loom watches the cell.
    pub(crate) unsafe fn payload(&self, position: usize, _len: usize) -> Option<&[u8]> {
        // The bytes are a copy that lives for ever: the access is what counts.
        let bytes = self.memory().read(position).to_ne_bytes();
        Some(Box::leak(Box::new(bytes)))
    }

    /// # Safety
    ///
    /// None is needed: loom watches the cell.
    #[allow(clippy::mut_from_ref, reason = "as the real one")]
    pub(crate) unsafe fn payload_mut(&self, position: usize, len: usize) -> Option<&mut [u8]> {
        // The writer writes its position, which the test checks.
        self.memory().write(position, position as u64);
        Some(Box::leak(vec![0; len].into_boxed_slice()))
    }

    fn memory(&self) -> &Memory {
        &self.word.0.memory
    }
}

/// Records have a payload of 8 bytes, so they take two slots.
pub(crate) const LEN: u32 = 8;
pub(crate) const ROOM: usize = 16;

/// The mappings of both pages: the consumer's, and the producer's with the data.
pub(crate) fn mappings(memory: &Arc<Memory>) -> (Shared, Shared) {
    let mapping = |begins_with_consumer| Shared {
        memory: Arc::clone(memory),
        begins_with_consumer,
    };
    (mapping(true), mapping(false))
}
