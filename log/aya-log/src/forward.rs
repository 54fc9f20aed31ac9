//! [`EbpfLogger::forward`]: records are handed on as they come, in a task of tokio.

use std::{convert::Infallible, io};

use log::Log;
use tokio::io::{Interest, unix::AsyncFd};

use crate::EbpfLogger;

impl<T: Log> EbpfLogger<T> {
    /// Hands records to the logger as they come, until the task is dropped. With the cargo feature
    /// `tokio`.
    ///
    /// ```no_run
    /// # async fn example(ebpf: &mut aya::Ebpf) -> Result<(), aya_log::Error> {
    /// tokio::spawn(aya_log::EbpfLogger::init(ebpf)?.forward());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the runtime cannot wait for the logger's descriptor, or is shutting down.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, and in one that was built without `enable_io` or `enable_all`.
    pub async fn forward(self) -> io::Result<Infallible> {
        #[allow(
            deprecated,
            reason = "its successor is unsafe, for types that do not keep their descriptor open; \
                      this one does, and works with older versions of tokio"
        )]
        let mut logger = AsyncFd::with_interest(self, Interest::READABLE)?;
        loop {
            let mut ready = logger.readable_mut().await?;
            // First, so that what comes meanwhile wakes this task again.
            ready.clear_ready();
            while ready.get_inner_mut().flush_some(IN_A_ROW) {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// How many records are handed on before the other tasks of the thread have a turn.
const IN_A_ROW: usize = 1024;
