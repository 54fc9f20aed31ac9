//! What the benchmarks share: the command line, pairs of runs, figures, and one packet for programs to run on.

pub mod parts;
pub mod stats;
pub mod test_run;

/// What a benchmark returns; any error ends it.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Prints one figure and its bar for `cargo xtask bench` to read.
pub fn figure(what: &str, value: f64, unit: &str, bar: f64) {
    println!("figure\t{what}\t{value}\t{unit}\t{bar}");
}
