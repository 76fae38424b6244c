//! From quantities to places on an axis.

use serde::Serialize;

/// An axis of a chart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    from: f64,
    to: f64,
    width: f64,
    logarithmic: bool,
}

/// A mark on an axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Tick {
    pub(crate) x: f64,
    pub(crate) value: f64,
}

impl Scale {
    /// From 0 to the largest value, each as far from its neighbour as the next.
    pub(crate) fn linear(largest: f64, width: f64) -> Self {
        Self {
            from: 0.0,
            to: if largest > 0.0 { largest } else { 1.0 },
            width,
            logarithmic: false,
        }
    }

    /// Whole powers of ten around the values; a value that is not above 0 has no place.
    pub(crate) fn logarithmic(values: impl IntoIterator<Item = f64>, width: f64) -> Self {
        let (mut least, mut largest) = (f64::INFINITY, 0.0_f64);
        for value in values.into_iter().filter(|value| *value > 0.0) {
            least = least.min(value);
            largest = largest.max(value);
        }
        if !least.is_finite() || !largest.is_finite() {
            (least, largest) = (1.0, 10.0);
        }
        let from = 10_f64.powf(least.log10().floor());
        let to = 10_f64.powf(largest.log10().ceil());
        Self {
            from,
            to: if to > from { to } else { from * 10.0 },
            width,
            logarithmic: true,
        }
    }

    /// The place of a value, inside the axis whatever the value.
    pub(crate) fn x(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value.max(self.from) / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        let share = if share.is_nan() { 0.0 } else { share };
        rounded(share.clamp(0.0, 1.0) * self.width)
    }

    /// Round values along the axis.
    pub(crate) fn ticks(&self) -> Vec<Tick> {
        let mut values = Vec::new();
        if self.logarithmic {
            let mut value = self.from;
            while value <= self.to * 1.001 {
                values.push(value);
                value *= 10.0;
            }
        } else {
            let step = step(self.to / 6.0);
            let count = (self.to / step).floor() as usize;
            values.extend((0..=count).map(|number| number as f64 * step));
        }
        let tick = |value| Tick {
            x: self.x(value),
            value,
        };
        values.into_iter().map(tick).collect()
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not below `least`.
fn step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    steps
        .into_iter()
        .find(|step| *step >= least * 0.999)
        .unwrap_or(10.0 * power)
}

/// A tenth of a pixel is enough for anybody.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn axes_have_round_marks() {
        let marks =
            |scale: Scale| -> Vec<f64> { scale.ticks().iter().map(|tick| tick.value).collect() };
        assert_eq!(
            marks(Scale::linear(100.0, 600.0)),
            [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
        );
        let values = marks(Scale::logarithmic([3.0, 700.0], 600.0));
        assert_eq!(values, [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(marks(Scale::logarithmic([], 1.0)).len(), 2);
        assert_eq!(Scale::linear(0.0, 100.0).x(f64::NAN), 0.0);
    }

    proptest! {
        #[test]
        fn places_are_inside_the_axis_and_in_order(
            mut values in proptest::collection::vec(0f64..1e9, 1..20), logarithmic: bool,
        ) {
            values.sort_by(f64::total_cmp);
            let largest = values.last().copied().unwrap_or(0.0);
            let scale = if logarithmic {
                Scale::logarithmic(values.iter().copied(), 600.0)
            } else {
                Scale::linear(largest, 600.0)
            };
            let places: Vec<f64> = values.iter().map(|value| scale.x(*value)).collect();
            prop_assert!(places.is_sorted());
            prop_assert!(places.iter().all(|place| (0.0..=600.0).contains(place)));
            prop_assert!(scale.ticks().len() <= 14);
        }
    }
}
