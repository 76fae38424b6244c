//! Ranges of numbers that are compared exactly, whichever of three types a field has.

use std::cmp::Ordering;
use std::ops::{Bound, RangeInclusive};

use crate::filter::value::FieldValue;

/// A number of a request: finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Float(f64),
    Integer(i128),
}

/// Numbers between two bounds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NumberRange {
    pub(crate) lower: Bound<Number>,
    pub(crate) upper: Bound<Number>,
}

impl Number {
    /// Reads a number, also out of a string. What is not finite is no number.
    pub(crate) fn read(value: &FieldValue) -> Option<Self> {
        match value {
            FieldValue::Bool(_) => None,
            FieldValue::Float(value) => Self::float(*value),
            FieldValue::Integer(value) => Some(Self::Integer((*value).into())),
            FieldValue::Text(text) => {
                let integer = text.parse().ok().map(Self::Integer);
                integer.or_else(|| text.parse().ok().and_then(Self::float))
            }
            FieldValue::Unsigned(value) => Some(Self::Integer((*value).into())),
        }
    }

    fn float(value: f64) -> Option<Self> {
        // A whole float within ±2^63 is its integer, exactly.
        let whole = value.fract() == 0.0 && value.abs() <= 9.3e18;
        match value {
            _ if !value.is_finite() => None,
            _ if whole => Some(Self::Integer(value as i128)),
            _ => Some(Self::Float(value)),
        }
    }

    /// The number as a whole number, if it is one.
    pub(crate) fn integer(self) -> Option<i128> {
        match self {
            Self::Float(value) if value.fract() == 0.0 && value.abs() < 1e38 => Some(value as i128),
            Self::Float(_) => None,
            Self::Integer(value) => Some(value),
        }
    }

    /// The nearest float.
    pub(crate) fn nearest_float(self) -> f64 {
        match self {
            Self::Float(value) => value,
            Self::Integer(value) => value as f64,
        }
    }

    /// The least whole number that is not below (or, if `above`, that is above) this one.
    fn first_integer(self, above: bool) -> i128 {
        match self {
            Self::Integer(value) => value.saturating_add(above.into()),
            // `as` saturates, and every type of field ends before `i128` does.
            Self::Float(value) if value.fract() == 0.0 => {
                (value as i128).saturating_add(above.into())
            }
            Self::Float(value) => value.ceil() as i128,
        }
    }

    fn last_integer(self, below: bool) -> i128 {
        match self {
            Self::Integer(value) => value.saturating_sub(below.into()),
            Self::Float(value) if value.fract() == 0.0 => {
                (value as i128).saturating_sub(below.into())
            }
            Self::Float(value) => value.floor() as i128,
        }
    }

    /// The least float that is not below (or, if `above`, that is above) this number.
    fn first_float(self, above: bool) -> f64 {
        let nearest = self.nearest_float();
        match compare_float(nearest, self) {
            Ordering::Less => nearest.next_up(),
            Ordering::Equal if above => nearest.next_up(),
            Ordering::Equal | Ordering::Greater => nearest,
        }
    }

    fn last_float(self, below: bool) -> f64 {
        let nearest = self.nearest_float();
        match compare_float(nearest, self) {
            Ordering::Greater => nearest.next_down(),
            Ordering::Equal if below => nearest.next_down(),
            Ordering::Equal | Ordering::Less => nearest,
        }
    }
}

/// Compares two numbers exactly.
pub(crate) fn compare(a: Number, b: Number) -> Ordering {
    match (a, b) {
        (Number::Integer(a), Number::Integer(b)) => a.cmp(&b),
        (Number::Float(a), Number::Float(b)) => a.total_cmp(&b),
        (Number::Integer(a), Number::Float(b)) => compare_integer(a, b),
        (Number::Float(a), Number::Integer(b)) => compare_integer(b, a).reverse(),
    }
}

fn compare_integer(integer: i128, float: f64) -> Ordering {
    let floor = float.floor();
    // `as` saturates: floats beyond `i128` stay beyond it.
    match integer.cmp(&(floor as i128)) {
        Ordering::Equal if float > floor => Ordering::Less,
        order => order,
    }
}

/// Compares a number's nearest float with the number, exactly.
fn compare_float(nearest: f64, number: Number) -> Ordering {
    match number {
        Number::Float(_) => Ordering::Equal,
        // `nearest` is whole, or infinite for nothing an `i128` can hold.
        Number::Integer(value) => (nearest as i128).cmp(&value),
    }
}

impl NumberRange {
    /// Exactly one number.
    pub(crate) fn only(number: Number) -> Self {
        Self {
            lower: Bound::Included(number),
            upper: Bound::Included(number),
        }
    }

    /// The range within whole numbers from `min` to `max`; `None` if it is empty.
    pub(crate) fn within(&self, min: i128, max: i128) -> Option<RangeInclusive<i128>> {
        let first = match self.lower {
            Bound::Included(number) => number.first_integer(false),
            Bound::Excluded(number) => number.first_integer(true),
            Bound::Unbounded => min,
        };
        let last = match self.upper {
            Bound::Included(number) => number.last_integer(false),
            Bound::Excluded(number) => number.last_integer(true),
            Bound::Unbounded => max,
        };
        let range = first.max(min)..=last.min(max);
        (!range.is_empty()).then_some(range)
    }

    /// The range within an `i64`; `None` if it is empty.
    pub(crate) fn within_i64(&self) -> Option<RangeInclusive<i64>> {
        let range = self.within(i64::MIN.into(), i64::MAX.into())?;
        Some(i64::try_from(*range.start()).ok()?..=i64::try_from(*range.end()).ok()?)
    }

    /// The range within a `u64`; `None` if it is empty.
    pub(crate) fn within_u64(&self) -> Option<RangeInclusive<u64>> {
        let range = self.within(0, u64::MAX.into())?;
        Some(u64::try_from(*range.start()).ok()?..=u64::try_from(*range.end()).ok()?)
    }

    /// As [`within_f64`](Self::within_f64), for floats that whole numbers were rounded to: bounds
    /// are rounded alike, so that a number still equals itself.
    pub(crate) fn roughly_f64(&self) -> Option<RangeInclusive<f64>> {
        let round = |number: Number| Number::Float(number.nearest_float());
        let rounded = Self {
            lower: self.lower.map(round),
            upper: self.upper.map(round),
        };
        rounded.within_f64()
    }

    /// The range within floats, compared exactly; `None` if it is empty.
    pub(crate) fn within_f64(&self) -> Option<RangeInclusive<f64>> {
        let first = match self.lower {
            Bound::Included(number) => number.first_float(false),
            Bound::Excluded(number) => number.first_float(true),
            Bound::Unbounded => f64::NEG_INFINITY,
        };
        let last = match self.upper {
            Bound::Included(number) => number.last_float(false),
            Bound::Excluded(number) => number.last_float(true),
            Bound::Unbounded => f64::INFINITY,
        };
        // Minus zero sorts below zero in tantivy's dictionaries; both are meant.
        let first = if first == 0.0 { -0.0 } else { first };
        let last = if last == 0.0 { 0.0 } else { last };
        (first <= last).then_some(first..=last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(lower: Bound<FieldValue>, upper: Bound<FieldValue>) -> NumberRange {
        let read = |bound: Bound<FieldValue>| bound.map(|value| Number::read(&value).unwrap());
        NumberRange {
            lower: read(lower),
            upper: read(upper),
        }
    }

    #[test]
    fn whole_numbers_round_fractions_inwards_and_saturate() {
        let within = |lower, upper| range(lower, upper).within_i64();
        use Bound::{Excluded, Included, Unbounded};
        assert_eq!(
            within(Excluded(1.5.into()), Excluded(3.5.into())),
            Some(2..=3)
        );
        assert_eq!(within(Excluded(1.into()), Excluded(4.into())), Some(2..=3));
        assert_eq!(
            within(Included((-1.5).into()), Unbounded),
            Some(-1..=i64::MAX)
        );
        assert_eq!(
            within(Included((-1e300).into()), Included(1e300.into())),
            Some(i64::MIN..=i64::MAX)
        );
        assert_eq!(within(Included(5.into()), Included(4.into())), None);
        assert_eq!(within(Excluded(i64::MAX.into()), Unbounded), None);
        assert_eq!(range(Unbounded, Excluded(0.into())).within_u64(), None);
    }

    #[test]
    fn floats_compare_with_large_integers_exactly() {
        use Bound::{Excluded, Included, Unbounded};
        // 2^53 + 1 is no float: the next one above is 2^53 + 2.
        let large = (1_i64 << 53) + 1;
        let above = range(Included(large.into()), Unbounded)
            .within_f64()
            .unwrap();
        assert_eq!(*above.start(), 9_007_199_254_740_994.0);
        let below = range(Unbounded, Excluded(large.into()))
            .within_f64()
            .unwrap();
        assert_eq!(*below.end(), 9_007_199_254_740_992.0);
        assert_eq!(
            range(Excluded(0.5.into()), Excluded(0.5.into())).within_f64(),
            None
        );
        let max = NumberRange::only(Number::Integer(i64::MAX.into()));
        assert_eq!(max.within_f64(), None);
        assert_eq!(max.roughly_f64(), Some(2_f64.powi(63)..=2_f64.powi(63)));
    }
}
