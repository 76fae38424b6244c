//! Medians and tails.

use serde::Serialize;

/// How a set of measurements is spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) p10: f64,
    pub(crate) median: f64,
    pub(crate) p90: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// The spread of some values; nothing where there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            p10: quantile(&sorted, 0.1)?,
            median: quantile(&sorted, 0.5)?,
            p90: quantile(&sorted, 0.9)?,
            most: *sorted.last()?,
        })
    }
}

impl Spread {
    /// One value, over and over.
    pub(crate) fn at(value: f64) -> Self {
        Self {
            p10: value,
            median: value,
            p90: value,
            most: value,
        }
    }
}

/// The median; not a number where there is nothing.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    Spread::of(values).map_or(f64::NAN, |spread| spread.median)
}

/// A quantile of sorted values, between the two that are nearest where it falls between them.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    let (low, high) = (*sorted.get(below)?, *sorted.get(above)?);
    Some(low + (high - low) * (place - place.floor()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_of_known_values_are_known() {
        let spread = Spread::of((0..=10).map(f64::from)).unwrap();
        assert_eq!((spread.p10, spread.median), (1.0, 5.0));
        assert_eq!((spread.p90, spread.most), (9.0, 10.0));
        assert_eq!(median([4.0, 1.0]), 2.5);
        assert_eq!(median([3.0, f64::NAN]), 3.0);
        assert!(median([]).is_nan());
        assert_eq!(Spread::of([]), None);
    }

    proptest! {
        #[test]
        fn quantiles_are_in_order_and_among_the_values(
            values in proptest::collection::vec(-1e6f64..1e6, 1..50),
        ) {
            let spread = Spread::of(values.iter().copied()).unwrap();
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            prop_assert!(least <= spread.p10 && spread.p10 <= spread.median);
            prop_assert!(spread.median <= spread.p90 && spread.p90 <= spread.most);
            let below = values.iter().filter(|value| **value <= spread.median).count();
            prop_assert!(below * 2 >= values.len());
        }
    }
}
