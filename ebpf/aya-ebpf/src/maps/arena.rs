//! Arenas: memory of which programs and user space see the same pages.

use core::{ffi::c_void, marker::PhantomData};

use aya_uapi::bindings::BPF_F_MMAPABLE;

use crate::{GlobalInteger, maps::def::map_type};

map_type! {
    /// Memory that programs and user space share, up to 4 GiB of it. Since Linux 6.9.
    ///
    /// Places are named by their offset in bytes, on both sides. A page is there once user space has
    /// touched it (aya's `Arena`); until then programs read zeros from it, and what they write is lost.
    /// No access can do harm outside of the arena. A program may use one arena.
    ///
    /// ```
    /// use aya_ebpf::{macros::{map, xdp}, maps::Arena, programs::XdpContext, bindings::xdp_action};
    ///
    /// #[map]
    /// static SHARED: Arena = Arena::with_pages(16, 0);
    ///
    /// #[xdp]
    /// fn count(_: XdpContext) -> u32 {
    ///     let seen = SHARED.get::<u64>(64);
    ///     seen.store(seen.load() + 1);
    ///     xdp_action::XDP_PASS
    /// }
    /// # fn main() {}
    /// ```
    Arena: () => (), ARENA,
    /// An arena of `pages` pages (of 4 KiB on most machines); `flags` are creation flags.
    with_pages(pages, flags) = (pages, flags | BPF_F_MMAPABLE)
}

/// What lies behind the lower half of an address.
const ALIGNMENT: u64 = 1 << 32;

impl Arena {
    /// User space maps the arena at this address, a multiple of 4 GiB. Without it aya chooses one; other
    /// loaders do not choose one that fits.
    pub const fn mapped_at(mut self, address: u64) -> Self {
        assert!(
            address.is_multiple_of(ALIGNMENT),
            "an arena's address is a multiple of 4 GiB"
        );
        self.definition().set_extra(address);
        self
    }

    /// The number at `offset`, in bytes from the arena's start: a multiple of the number's size, or what
    /// is read and written may be torn.
    #[inline(always)]
    pub fn get<T: GlobalInteger>(&self, offset: u32) -> ArenaPtr<T> {
        ArenaPtr {
            address: cast(self.as_ptr(), offset.into()).cast(),
            arena: PhantomData,
        }
    }
}

/// A number in an [`Arena`], which other programs, CPUs and user space may change at any time.
#[derive(Debug)]
pub struct ArenaPtr<T> {
    address: *mut T,
    arena: PhantomData<T>,
}

// By hand: derives would ask it of `T`.
impl<T> Clone for ArenaPtr<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ArenaPtr<T> {}

impl<T: GlobalInteger> ArenaPtr<T> {
    /// The number now, in no order towards other memory; 0 where there is no page.
    #[inline(always)]
    pub fn load(self) -> T {
        // SAFETY: the verifier confines the access to the arena, where any bytes are a number; the
        // kernel answers for pages that are not there. Volatile, since others write it, in one
        // instruction.
        unsafe { self.address.read_volatile() }
    }

    /// Sets the number, in no order towards other memory; lost where there is no page.
    #[inline(always)]
    pub fn store(self, value: T) {
        // SAFETY: as in `load`.
        unsafe { self.address.write_volatile(value) }
    }

    /// The number that is `index` numbers further on.
    #[inline(always)]
    pub fn at(self, index: u32) -> Self {
        Self {
            address: self.address.wrapping_add(index as usize),
            ..self
        }
    }
}

impl ArenaPtr<u64> {
    /// Adds `value` in one step, so that nothing is lost when several CPUs do. Wraps around.
    #[inline(always)]
    pub fn add(self, value: u64) {
        // SAFETY: as in `load`.
        unsafe { crate::atomic_add_u64(self.address, value) }
    }
}

/// The address by which programs reach what user space has at `address`, of which only the lower half
/// counts. `arena` tells the verifier which one the program uses.
#[inline(always)]
fn cast(arena: *mut c_void, address: u64) -> *mut c_void {
    #[cfg(any(aya_ebpf, target_arch = "bpf"))]
    {
        unsafe extern "C" {
            fn __aya_arena_cast(arena: *mut c_void, address: u64) -> *mut c_void;
        }
        // SAFETY: the linker makes one instruction of the call, which only changes a register.
        unsafe { __aya_arena_cast(arena, address) }
    }
    #[cfg(not(any(aya_ebpf, target_arch = "bpf")))]
    {
        let _ = (arena, address);
        crate::only_in_the_kernel("Arena")
    }
}
