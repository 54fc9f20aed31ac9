//! Builds records, in the layout that [`aya_log_common::record`] describes, and sends them.
//!
//! Everything is inlined and every offset is a constant, so that what remains is one store per
//! argument and one helper call.

use core::{ffi::c_void, mem::MaybeUninit};

use aya_ebpf::{
    EbpfContext, Global, atomic_add_u64,
    macros::map,
    maps::{PerCpuArray, RingBuf},
};
use aya_log_common::{
    Argument, Level,
    record::{MAX_ARGUMENTS, head_len},
};

/// What fits on the stack beside the program's own variables.
const MAX_FIXED: usize = 256;
/// How many bytes of variable length a record carries.
const MAX_VARIABLE: usize = 1024;

#[map]
static AYA_LOGS: RingBuf = RingBuf::with_byte_size(256 * 1024, 0);

#[map]
static AYA_LOG_BUF: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

#[unsafe(no_mangle)]
static AYA_LOG_LEVEL: Global<u8> = Global::new(Level::Trace as u8);

#[unsafe(no_mangle)]
static mut AYA_LOG_LOST: u64 = 0;

/// Where records with arguments of variable length are built.
#[repr(C)]
struct Scratch {
    /// Not 0 while a statement uses the buffer.
    busy: u64,
    record: [u8; MAX_FIXED + MAX_VARIABLE],
}

/// Whether records of this level are wanted.
#[inline(always)]
pub fn enabled(level: Level) -> bool {
    const LIMIT: u8 = match option_env!("AYA_LOG_LEVEL") {
        None => Level::Trace as u8,
        Some(name) => match Level::filter_from_name(name) {
            Some(limit) => limit,
            None => panic!("AYA_LOG_LEVEL must be off, error, warn, info, debug or trace"),
        },
    };
    level as u8 <= LIMIT && level as u8 <= AYA_LOG_LEVEL.load()
}

/// The arguments of a statement, the last one outermost.
///
/// # Safety
///
/// `put` must write every byte below `SIZE`.
pub unsafe trait Arguments: Copy {
    const COUNT: usize;
    /// Their kinds, at the positions they have in a record.
    const KINDS: [u8; MAX_ARGUMENTS];
    /// Where what follows them begins.
    const SIZE: usize;
    /// How many are of variable length.
    const VARIABLE: usize;
    /// At least as large as `SIZE`.
    type Space;

    /// Writes the arguments to the record at `record`, the variable ones' lengths cut to `cap`.
    ///
    /// # Safety
    ///
    /// `record` must be aligned to 8 bytes and have room for `SIZE`.
    unsafe fn put(self, record: *mut u8, cap: usize);

    /// Appends the bytes of the variable arguments at `end`, up to `cap` of each; the new end.
    ///
    /// # Safety
    ///
    /// `record` must have room for `end` and `cap` bytes per variable argument.
    unsafe fn put_tails(&self, record: *mut u8, end: usize, cap: usize) -> usize;
}

/// No arguments yet; `COUNT` will follow.
#[derive(Clone, Copy)]
pub struct Head<const COUNT: usize>;

impl<const COUNT: usize> Head<COUNT> {
    /// Adds an argument.
    #[inline(always)]
    pub fn and<A: Argument>(self, argument: A) -> And<Self, A> {
        And(self, argument)
    }
}

// SAFETY: `emit` writes the head.
unsafe impl<const COUNT: usize> Arguments for Head<COUNT> {
    const COUNT: usize = 0;
    const KINDS: [u8; MAX_ARGUMENTS] = [0; MAX_ARGUMENTS];
    const SIZE: usize = head_len(COUNT);
    const VARIABLE: usize = 0;
    type Space = [u8; head_len(MAX_ARGUMENTS)];

    #[inline(always)]
    unsafe fn put(self, _: *mut u8, _: usize) {}

    #[inline(always)]
    unsafe fn put_tails(&self, _: *mut u8, end: usize, _: usize) -> usize {
        end
    }
}

/// The arguments `P`, then `A`.
#[derive(Clone, Copy)]
pub struct And<P, A>(P, A);

impl<P: Arguments, A: Argument> And<P, A> {
    /// Adds an argument.
    #[inline(always)]
    pub fn and<B: Argument>(self, argument: B) -> And<Self, B> {
        And(self, argument)
    }

    const OFFSET: usize = P::SIZE.next_multiple_of(align_of::<A::Wire>());
}

// SAFETY: the hole before the argument and the argument are written.
unsafe impl<P: Arguments, A: Argument> Arguments for And<P, A> {
    const COUNT: usize = P::COUNT + 1;
    const KINDS: [u8; MAX_ARGUMENTS] = {
        let mut kinds = P::KINDS;
        kinds[P::COUNT] = A::KIND as u8;
        kinds
    };
    const SIZE: usize = Self::OFFSET + size_of::<A::Wire>();
    const VARIABLE: usize = P::VARIABLE + A::VARIABLE as usize;
    type Space = (P::Space, A::Wire);

    #[inline(always)]
    unsafe fn put(self, record: *mut u8, cap: usize) {
        // SAFETY: the caller's promise; what is before this argument is smaller than `SIZE`, and
        // `OFFSET` is aligned for `A::Wire`.
        unsafe {
            self.0.put(record, cap);
            zero(record, P::SIZE, Self::OFFSET);
            record
                .add(Self::OFFSET)
                .cast::<A::Wire>()
                .write(self.1.wire(cap));
        }
    }

    #[inline(always)]
    unsafe fn put_tails(&self, record: *mut u8, end: usize, cap: usize) -> usize {
        // SAFETY: the caller's promise.
        let end = unsafe { self.0.put_tails(record, end, cap) };
        if !A::VARIABLE {
            return end;
        }
        let tail = self.1.tail();
        let len = if tail.len() > cap { cap } else { tail.len() };
        // SAFETY: the caller's promise; a failed read leaves zeros.
        unsafe { probe_read_kernel(record.add(end), len as u32, tail.as_ptr()) };
        end + len
    }
}

/// Writes zeros from `from` to `to`, which is aligned to more than the bytes between them.
///
/// # Safety
///
/// `record` must be aligned to 8 bytes and have room for `to`.
#[inline(always)]
unsafe fn zero(record: *mut u8, from: usize, to: usize) {
    let mut at = from;
    // SAFETY: the caller's promise; each step is aligned to what it writes.
    unsafe {
        if at < to && at % 2 == 1 {
            record.add(at).write(0);
            at += 1;
        }
        if at < to && at % 4 == 2 {
            record.add(at).cast::<u16>().write(0);
            at += 2;
        }
        if at < to && at % 8 == 4 {
            record.add(at).cast::<u32>().write(0);
        }
    }
}

/// Four kinds as the number that is stored.
#[inline(always)]
const fn kinds<A: Arguments>(word: usize) -> u32 {
    let at = 4 * word;
    u32::from_ne_bytes([
        A::KINDS[at],
        A::KINDS[at + 1],
        A::KINDS[at + 2],
        A::KINDS[at + 3],
    ])
}

/// Writes the record's head and fixed part.
///
/// # Safety
///
/// `record` must be aligned to 8 bytes and have room for `A::SIZE`.
#[inline(always)]
unsafe fn put<A: Arguments>(record: *mut u8, id: u32, arguments: A, cap: usize) {
    const {
        assert!(
            A::SIZE <= MAX_FIXED,
            "the arguments are too long; log a slice"
        )
    };
    // SAFETY: the head is part of `A::SIZE`.
    unsafe {
        // The id and the first kinds as one number: one store.
        let (id, first) = (id as u64, kinds::<A>(0) as u64);
        record
            .cast::<u64>()
            .write(match cfg!(target_endian = "little") {
                true => id | first << 32,
                false => id << 32 | first,
            });
        let mut word = 1;
        while word < A::COUNT.div_ceil(4) {
            record.cast::<u32>().add(1 + word).write(kinds::<A>(word));
            word += 1;
        }
        arguments.put(record, cap);
    }
}

/// Sends the record of the statement that `descriptor` describes.
#[inline(always)]
pub fn emit<C: EbpfContext, A: Arguments, const N: usize>(
    context: &C,
    descriptor: &'static [u8; N],
    arguments: A,
) {
    let (context, id) = (context.as_ptr(), id(descriptor));
    count_loss(if const { A::VARIABLE == 0 } {
        emit_fixed(context, id, arguments)
    } else {
        emit_variable(context, id, arguments)
    });
}

/// Sends the record of a statement without arguments: a constant in `.rodata`, which takes half of
/// the instructions that building it does. The 64 bits of the descriptor's address, of which the
/// linker makes the id, are the record: the id, and no kinds.
#[inline(always)]
pub fn emit_constant<C: EbpfContext, const N: usize>(
    context: &C,
    descriptor: &'static &'static [u8; N],
) {
    let context = context.as_ptr();
    count_loss(if cfg!(target_endian = "little") {
        // SAFETY: a reference is valid for reads of its size.
        unsafe {
            output(
                (&raw const *descriptor).cast(),
                size_of::<&[u8; N]>(),
                context,
            )
        }
    } else {
        emit_fixed(context, id(descriptor), Head::<0>)
    });
}

/// The linker makes the descriptor's offset in its section of this address.
#[inline(always)]
fn id<const N: usize>(descriptor: &'static [u8; N]) -> u32 {
    descriptor.as_ptr() as usize as u32
}

#[inline(always)]
fn count_loss(sent: bool) {
    if !sent {
        // SAFETY: the counter is only added to, in one step.
        unsafe { atomic_add_u64(&raw mut AYA_LOG_LOST, 1) };
    }
}

#[inline(always)]
fn emit_fixed<A: Arguments>(context: *mut c_void, id: u32, arguments: A) -> bool {
    #[repr(C, align(8))]
    struct Record<T>(T);

    let mut record = MaybeUninit::<Record<A::Space>>::uninit();
    let record = record.as_mut_ptr().cast::<u8>();
    // SAFETY: `Space` has room for `SIZE` bytes, all of which `put` writes.
    unsafe {
        put(record, id, arguments, 0);
        output(record, A::SIZE, context)
    }
}

#[inline(always)]
fn emit_variable<A: Arguments>(context: *mut c_void, id: u32, arguments: A) -> bool {
    let cap = const { MAX_VARIABLE / if A::VARIABLE == 0 { 1 } else { A::VARIABLE } };
    let Some(scratch) = AYA_LOG_BUF.get_ptr_mut(0) else {
        return false;
    };
    // SAFETY: the buffer belongs to this CPU, and the mark keeps a program away that interrupts this
    // one. It has room for the fixed part and `cap` bytes for each variable argument.
    unsafe {
        let busy = &raw mut (*scratch).busy;
        if busy.read_volatile() != 0 {
            return false;
        }
        busy.write_volatile(1);
        let record = (&raw mut (*scratch).record).cast::<u8>();
        put(record, id, arguments, cap);
        let size = arguments.put_tails(record, A::SIZE, cap);
        let sent = output(record, size, context);
        busy.write_volatile(0);
        sent
    }
}

/// `bpf_ringbuf_output(AYA_LOGS, record, size, 0)`; whether there was room.
///
/// The helper takes four arguments. The context goes along in the fifth register, where the loader
/// finds it when it replaces the call on kernels without ring buffers. Since Linux 5.8; before, a perf
/// event array takes the ring buffer's place, and records without context are not sent.
///
/// # Safety
///
/// `record` must be valid for reads of `size` bytes.
#[inline(always)]
unsafe fn output(record: *const u8, size: usize, context: *mut c_void) -> bool {
    let map = (&raw const AYA_LOGS).cast_mut().cast::<c_void>();
    #[cfg(any(aya_ebpf, target_arch = "bpf"))]
    {
        const BPF_RINGBUF_OUTPUT: usize = 130;
        type Output = unsafe extern "C" fn(*mut c_void, *const u8, u64, u64, *mut c_void) -> i64;
        // SAFETY: calling a small constant address is how eBPF calls a helper.
        let output: Output = unsafe { core::mem::transmute(BPF_RINGBUF_OUTPUT) };
        // SAFETY: the caller's promise.
        unsafe { output(map, record, size as u64, 0, context) == 0 }
    }
    #[cfg(not(any(aya_ebpf, target_arch = "bpf")))]
    {
        let _ = (map, record, size, context);
        false
    }
}

/// `bpf_probe_read_kernel`. Since Linux 5.5.
///
/// # Safety
///
/// `to` must be valid for writes of `size` bytes.
#[inline(always)]
unsafe fn probe_read_kernel(to: *mut u8, size: u32, from: *const u8) {
    // SAFETY: the caller's promise; the kernel checks `from`.
    unsafe {
        aya_ebpf::helpers::generated::bpf_probe_read_kernel(to.cast(), size, from.cast());
    }
}

/// Called by the linker's code before a program leaves on a panic; `id` is a descriptor's that the
/// linker made of the panic's place. There is no context here, so the record goes to ring buffers only.
#[cfg(any(aya_ebpf, target_arch = "bpf"))]
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn __aya_log_panic(id: u64) {
    if enabled(Level::Error) {
        count_loss(emit_fixed(core::ptr::null_mut(), id as u32, Head::<0>));
    }
}

/// Keeps the function until the linker sees it: nothing in Rust calls it.
#[cfg(any(aya_ebpf, target_arch = "bpf"))]
#[used]
static KEEP: extern "C" fn(u64) = __aya_log_panic;

#[cfg(test)]
mod tests {
    extern crate std;

    use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use aya_log_common::record::{TRUNCATED, Tail, Value, read_values, split_id};

    use super::*;

    #[repr(align(8))]
    struct Buffer([u8; 512]);

    /// The record as `emit_fixed` builds it, on memory that was not zero.
    fn record<A: Arguments>(arguments: A, filler: u8) -> Buffer {
        assert!(size_of::<A::Space>() >= A::SIZE);
        let mut buffer = Buffer([filler; 512]);
        // SAFETY: the buffer is aligned and long enough.
        unsafe { put((&raw mut buffer).cast(), 0x0102_0304, arguments, 3) };
        buffer
    }

    fn values<A: Arguments>(arguments: A, tails: &[u8], check: impl Fn(&[Value<'_>])) {
        let mut buffer = record(arguments, 0xaa);
        let other = record(arguments, 0x55);
        assert_eq!(
            buffer.0[..A::SIZE],
            other.0[..A::SIZE],
            "not all bytes are written"
        );
        assert!(buffer.0[A::SIZE..].iter().all(|&byte| byte == 0xaa));
        buffer.0[A::SIZE..][..tails.len()].copy_from_slice(tails);
        let record = &buffer.0[..A::SIZE + tails.len()];
        assert_eq!(split_id(record).unwrap().0, 0x0102_0304);
        let mut values = std::vec![Value::Bool(false); A::COUNT];
        read_values(record, &mut values).unwrap();
        check(&values);
    }

    #[test]
    fn no_argument_is_just_the_id() {
        assert_eq!(<Head<0> as Arguments>::SIZE, 8);
        values(Head::<0>, &[], |values| assert_eq!(values, []));
    }

    #[test]
    fn every_kind_is_read_back() {
        let v4 = Ipv4Addr::new(1, 2, 3, 4);
        let v6: Ipv6Addr = "1:2:3:4:5:6:7:8".parse().unwrap();
        let pointer = core::ptr::without_provenance::<u8>(0xffff_8000_0000_0001);
        let all = Head::<16>
            .and(-1i8)
            .and(-2i16)
            .and(3u8)
            .and(-4i32)
            .and(5u8)
            .and(-6i64)
            .and(7u16)
            .and(8u64)
            .and(true)
            .and('é')
            .and(pointer)
            .and(v4)
            .and(&v6)
            .and(IpAddr::V4(v4))
            .and([1u16, 2, 3, 4, 5, 6, 7, 8])
            .and(&[9u8, 8, 7]);
        values(all, &[], |values| {
            let bytes = Tail {
                bytes: &[9, 8, 7],
                truncated: false,
            };
            let expected = [
                Value::I8(-1),
                Value::I16(-2),
                Value::U8(3),
                Value::I32(-4),
                Value::U8(5),
                Value::I64(-6),
                Value::U16(7),
                Value::U64(8),
                Value::Bool(true),
                Value::Char('é'),
                Value::Pointer(0xffff_8000_0000_0001),
                Value::Ip(v4.into()),
                Value::Ip(v6.into()),
                Value::Ip(v4.into()),
                Value::ArrU16Len8([1, 2, 3, 4, 5, 6, 7, 8]),
                Value::Bytes(bytes),
            ];
            assert_eq!(values, expected);
        });
        values(
            Head::<3>.and(1usize).and(-1isize).and(IpAddr::V6(v6)),
            &[],
            |values| {
                assert_eq!(
                    values,
                    [Value::U64(1), Value::I64(-1), Value::Ip(v6.into())]
                );
            },
        );
    }

    #[test]
    fn variable_arguments_follow_the_others() {
        let arguments = Head::<3>.and("ab").and(&[1u8, 2, 3, 4][..]).and(5u32);
        assert_eq!(
            <And<And<And<Head<3>, &str>, &[u8]>, u32> as Arguments>::VARIABLE,
            2
        );
        values(arguments, b"ab\x01\x02\x03", |values| {
            let expected = [
                Value::Str(Tail {
                    bytes: b"ab",
                    truncated: false,
                }),
                Value::Bytes(Tail {
                    bytes: &[1, 2, 3],
                    truncated: true,
                }),
                Value::U32(5),
            ];
            assert_eq!(values, expected);
        });
        assert!(MAX_VARIABLE < TRUNCATED as usize);
    }

    #[test]
    fn the_host_has_nobody_to_send_to() {
        assert!(!emit_fixed(core::ptr::null_mut(), 0, Head::<0>));
    }
}
