//! Measuring: medians, because one disturbed run must not decide.

use std::time::Instant;

use crate::error::{Error, Result};

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

/// Two measurements by turns, and how the first compares with the second: the median of each, and of
/// the quotients of the pairs.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "for benchmarks against other libraries")
)]
pub(crate) fn paired(
    rounds: usize,
    mut ours: impl FnMut() -> Result<f64>,
    mut theirs: impl FnMut() -> Result<f64>,
) -> Result<Pair> {
    let pairs = (0..rounds)
        .map(|_| Ok((ours()?, theirs()?)))
        .collect::<Result<Vec<_>>>()?;
    let of = |value: fn(&(f64, f64)) -> f64| {
        let values: Vec<f64> = pairs.iter().map(value).collect();
        median(&values).ok_or_else(|| Error::new("nothing was measured"))
    };
    Ok(Pair {
        ours: of(|pair| pair.0)?,
        theirs: of(|pair| pair.1)?,
        ratio: of(|pair| pair.0 / pair.1)?,
    })
}

/// What [`paired`] found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pair {
    pub(crate) ours: f64,
    pub(crate) theirs: f64,
    pub(crate) ratio: f64,
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
    fn pairs_are_compared_one_by_one() {
        // The machine gets ten times slower in the middle; the quotient does not notice.
        let speeds = [1.0, 1.0, 10.0, 10.0, 10.0];
        let (mut ours, mut theirs) = (speeds.iter(), speeds.iter());
        let pair = paired(
            5,
            || Ok(ours.next().unwrap() * 2.0),
            || Ok(*theirs.next().unwrap()),
        );
        assert_eq!(
            pair.unwrap(),
            Pair {
                ours: 20.0,
                theirs: 10.0,
                ratio: 2.0
            }
        );
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
