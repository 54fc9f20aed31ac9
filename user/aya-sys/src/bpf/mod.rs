//! The commands of bpf(2).
//!
//! | file | what |
//! | --- | --- |
//! | `map` | [`Map`]: create, elements, batches, freeze |
//! | `prog` | [`prog_load`], attach, detach, query, test run |
//! | `link` | [`link_create`], update, detach, iterators, raw tracepoints |
//! | `object` | pins, ids, information, BTF, statistics |

mod link;
mod map;
mod object;
mod prog;

#[cfg(test)]
mod tests;

use std::os::fd::{AsRawFd as _, BorrowedFd};

pub use link::{
    IterTarget, LinkOptions, LinkTarget, Neighbour, Place, iter_create, link_create, link_detach,
    link_update, raw_tracepoint_open,
};
pub use map::{Batch, Map, MapCreate, Position, map_create};
pub use object::{
    LinkDetails, TaskFd, btf_data, btf_get_fd_by_id, btf_get_next_id, btf_info, btf_load,
    enable_stats, kernel_btf_name, link_details, link_get_fd_by_id, link_get_next_id, link_info,
    map_get_fd_by_id, map_get_next_id, map_info, obj_get, obj_pin, prog_get_fd_by_id,
    prog_get_next_id, prog_info, prog_map_ids, task_fd_query,
};
pub use prog::{
    ProgAttach, ProgBtf, ProgLoad, ProgQuery, TestRun, TestRunOutput, prog_attach, prog_bind_map,
    prog_detach, prog_load, prog_query, prog_test_run,
};

/// A descriptor as attributes hold it.
fn number(fd: BorrowedFd<'_>) -> u32 {
    // Open descriptors are not negative.
    fd.as_raw_fd() as u32
}

fn optional(fd: Option<BorrowedFd<'_>>) -> u32 {
    fd.map_or(0, number)
}
