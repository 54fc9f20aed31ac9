//! The context of traffic control programs.

use crate::programs::sk_buff::socket_buffer_context;

socket_buffer_context! {
    /// A packet on its way in or out of an interface, past the driver.
    ///
    /// What it offers is the socket buffer's, [`SkBuff`](crate::programs::sk_buff::SkBuff).
    /// Since Linux 4.1.
    TcContext returns
        /// One of the `TC_ACT_*` values.
        i32
}
