//! Medians and ratios of paired runs. The two sides take turns, so that a machine that slows down in
//! between slows both.

/// The middle value; `NaN` of nothing.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The mean of the middle half, which one disturbed round cannot move; `NaN` of nothing.
pub fn middle_mean(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let quarter = values.len() / 4;
    let middle = values.get(quarter..values.len() - quarter).unwrap_or(&[]);
    middle.iter().sum::<f64>() / middle.len() as f64
}

/// What two sides took in the same rounds.
#[derive(Debug, Default)]
pub struct Pairs {
    ours: Vec<f64>,
    peer: Vec<f64>,
}

impl Pairs {
    /// Runs `rounds` rounds of both after one that does not count.
    ///
    /// # Errors
    ///
    /// The first that a side returns.
    pub fn run<E>(
        rounds: usize,
        mut ours: impl FnMut() -> Result<f64, E>,
        mut peer: impl FnMut() -> Result<f64, E>,
    ) -> Result<Self, E> {
        ours()?;
        peer()?;
        let mut pairs = Self::default();
        for round in 0..rounds {
            // Who goes first alternates.
            if round % 2 == 0 {
                pairs.ours.push(ours()?);
                pairs.peer.push(peer()?);
            } else {
                pairs.peer.push(peer()?);
                pairs.ours.push(ours()?);
            }
        }
        Ok(pairs)
    }

    /// The median of our side.
    pub fn ours(&self) -> f64 {
        median(self.ours.clone())
    }

    /// The median of the peer.
    pub fn peer(&self) -> f64 {
        median(self.peer.clone())
    }

    /// The least of both sides, ours first: what there is without disturbance.
    pub fn least(&self) -> (f64, f64) {
        let least = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
        (least(&self.ours), least(&self.peer))
    }

    /// The mean of the middle half of our rounds.
    pub fn ours_mean(&self) -> f64 {
        middle_mean(self.ours.clone())
    }

    /// The mean of the middle half of the peer's rounds.
    pub fn peer_mean(&self) -> f64 {
        middle_mean(self.peer.clone())
    }

    /// The median of the rounds' ratios, ours / peer.
    pub fn ratio(&self) -> f64 {
        median(
            self.ours
                .iter()
                .zip(&self.peer)
                .map(|(a, b)| a / b)
                .collect(),
        )
    }
}
