//! The context of programs on kernel parameters.

use crate::{
    bindings::{BPF_F_SYSCTL_BASE_NAME, bpf_sysctl},
    helpers::generated as raw,
    programs::context::context,
};

context! {
    /// An access to a file below `/proc/sys`.
    ///
    /// ```
    /// use aya_ebpf::{macros::cgroup_sysctl, programs::SysctlContext};
    ///
    /// /// Everybody may read, nobody may write.
    /// #[cgroup_sysctl]
    /// fn read_only(ctx: SysctlContext) -> i32 {
    ///     i32::from(!ctx.is_write())
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// Since Linux 5.2.
    SysctlContext {
        /// The kernel's structure.
        sysctl: bpf_sysctl
    } returns
        /// 1 allows the access, 0 refuses it.
        i32,
        /// As `i32`.
        u32;
    /// 1 for a write, 0 for a read.
    get write: u32 = write;
    /// Where in the file the access begins.
    get file_pos: u32 = file_pos;
    /// Makes the access begin elsewhere in the file.
    set set_file_pos: u32 = file_pos;
}

/// What a helper that fills a buffer returns: the text it wrote.
#[inline(always)]
fn filled(buffer: &mut [u8], length: i64) -> Result<&mut [u8], i32> {
    match usize::try_from(length) {
        // The comparison is the verifier's as well as ours.
        Ok(length) if length <= buffer.len() => Ok(&mut buffer[..length]),
        _ => Err(length as i32),
    }
}

/// Generates the readers of texts.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $helper:ident($($flags:expr)?);)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub fn $name<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a mut [u8], i32> {
            // SAFETY: the helper writes no more than the buffer's length.
            let length = unsafe {
                raw::$helper(
                    self.sysctl,
                    buffer.as_mut_ptr().cast(),
                    buffer.len() as u64,
                    $($flags.into())?
                )
            };
            filled(buffer, length)
        }
    )*};
}

impl SysctlContext {
    /// Whether the parameter is written.
    #[inline(always)]
    pub fn is_write(&self) -> bool {
        self.write() != 0
    }

    texts! {
        /// The path of the file below `/proc/sys`, such as `net/ipv4/tcp_mem`
        /// (`bpf_sysctl_get_name`).
        ///
        /// # Errors
        ///
        /// `-E2BIG` when the buffer is too small.
        name = bpf_sysctl_get_name(0u32);
        /// The last part of the path, such as `tcp_mem` (`bpf_sysctl_get_name`).
        ///
        /// # Errors
        ///
        /// `-E2BIG` when the buffer is too small.
        base_name = bpf_sysctl_get_name(BPF_F_SYSCTL_BASE_NAME);
        /// The value before the access, as a read gives it (`bpf_sysctl_get_current_value`).
        ///
        /// # Errors
        ///
        /// `-E2BIG` when the buffer is too small, `-EINVAL` when the value is not to be had.
        current_value = bpf_sysctl_get_current_value();
        /// What is written (`bpf_sysctl_get_new_value`).
        ///
        /// # Errors
        ///
        /// `-E2BIG` when the buffer is too small, `-EINVAL` for a read.
        new_value = bpf_sysctl_get_new_value();
    }

    /// Puts another value in the place of the one that is written (`bpf_sysctl_set_new_value`). The
    /// writer is told the length of that value, so one that is shorter makes it write the rest.
    ///
    /// # Errors
    ///
    /// `-E2BIG` when the value is too long, `-EINVAL` for a read.
    #[inline(always)]
    pub fn set_new_value(&self, value: &[u8]) -> Result<(), i32> {
        // SAFETY: the helper reads as many bytes as are there.
        crate::maps::check(unsafe {
            raw::bpf_sysctl_set_new_value(self.sysctl, value.as_ptr().cast(), value.len() as u64)
        })
    }
}
