//! Maps: the data that programs and user space share.
