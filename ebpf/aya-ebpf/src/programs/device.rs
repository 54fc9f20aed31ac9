//! The context of programs on device files.

use crate::{bindings::bpf_cgroup_dev_ctx, programs::context::context};

context! {
    /// An access to a device file. Since Linux 4.15.
    DeviceContext {
        /// The kernel's structure.
        device: bpf_cgroup_dev_ctx
    } returns
        /// 1 allows the access, 0 refuses it.
        i32,
        /// As `i32`.
        u32;
    /// What is done and to what: `BPF_DEVCG_ACC_*` in the upper half, `BPF_DEVCG_DEV_*` in the lower.
    get access_type: u32 = access_type;
    /// The device's major number.
    get major: u32 = major;
    /// The device's minor number.
    get minor: u32 = minor;
}

impl DeviceContext {
    /// What is done: `BPF_DEVCG_ACC_MKNOD`, `BPF_DEVCG_ACC_READ`, `BPF_DEVCG_ACC_WRITE`, or several.
    #[inline(always)]
    pub fn access(&self) -> u32 {
        self.access_type() >> 16
    }

    /// The sort of device: `BPF_DEVCG_DEV_BLOCK` or `BPF_DEVCG_DEV_CHAR`.
    #[inline(always)]
    pub fn device_type(&self) -> u32 {
        self.access_type() & 0xffff
    }
}
