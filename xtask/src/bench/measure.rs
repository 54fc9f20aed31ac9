//! Measuring: medians, because one disturbed run must not decide.

use std::time::Instant;

use crate::error::Result;

/// The seconds that something takes.
pub(crate) fn seconds(run: impl FnOnce() -> Result<()>) -> Result<f64> {
    let started = Instant::now();
    run()?;
    Ok(started.elapsed().as_secs_f64())
}

/// The middle value, or the mean of the two in the middle; `None` of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    sorted
        .get(sorted.len() / 2 - 1)
        .map(|lower| (lower + upper) / 2.0)
}

/// The median of several runs of one measurement.
pub(crate) fn repeated(rounds: usize, mut run: impl FnMut() -> Result<f64>) -> Result<f64> {
    let values = (0..rounds).map(|_| run()).collect::<Result<Vec<_>>>()?;
    median(&values).ok_or_else(|| "nothing was measured".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }

    #[test]
    fn repeats() {
        let mut next = 0.0;
        let value = repeated(3, || {
            next += 1.0;
            Ok(next)
        });
        assert_eq!(value.unwrap(), 2.0);
    }
}
