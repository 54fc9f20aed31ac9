//! Cgroups that user space puts into a map, to be told apart by programs.

use crate::{cty::c_long, helpers::generated as raw, maps::def::map_type};

map_type! {
    /// An array of cgroups. Since Linux 4.8.
    CgroupArray: u32 => u32, CGROUP_ARRAY,
    /// Room for `max_entries` cgroups, which user space puts in; `flags` are creation flags.
    with_max_entries(max_entries, flags) = (max_entries, flags)
}

impl CgroupArray {
    /// Whether the running task is in the cgroup at `index` or below it
    /// (`bpf_current_task_under_cgroup`, Linux 4.9).
    ///
    /// # Errors
    ///
    /// `-EAGAIN` when there is none, `-E2BIG` for an index beyond the map.
    #[inline(always)]
    pub fn current_task_under_cgroup(&self, index: u32) -> Result<bool, c_long> {
        // SAFETY: a map of cgroups.
        is_under(unsafe { raw::bpf_current_task_under_cgroup(self.as_ptr(), index) })
    }
}

/// What the helpers for cgroups answer.
#[inline(always)]
pub(crate) fn is_under(ret: c_long) -> Result<bool, c_long> {
    if ret < 0 { Err(ret) } else { Ok(ret != 0) }
}
