//! A sum of floats that forgets: with twice the precision of a float, so that what is added and removed
//! again leaves no trace, and with the values that cannot be subtracted counted apart.

/// A sum of floats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct FloatSum {
    high: f64,
    low: f64,
    nans: i64,
    positive: i64,
    negative: i64,
}

fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let rest = sum - a;
    (sum, (a - (sum - rest)) + (b - rest))
}

impl FloatSum {
    /// Adds `value` `times` times, which may be negative.
    pub(super) fn add(&mut self, value: f64, times: i64) {
        if value.is_finite() {
            let factor = times as f64;
            let product = value * factor;
            let error = value.mul_add(factor, -product);
            let (sum, rest) = two_sum(self.high, product);
            let (high, low) = two_sum(sum, self.low + rest + error);
            (self.high, self.low) = (high, low);
        } else if value.is_nan() {
            self.nans += times;
        } else if value > 0.0 {
            self.positive += times;
        } else {
            self.negative += times;
        }
    }

    /// Two floats whose sum it is, for sums of which nothing is ever taken off.
    pub(super) fn halves(&self) -> (f64, f64) {
        let total = self.total();
        if total.is_finite() {
            (self.high, self.low)
        } else {
            (total, 0.0)
        }
    }

    /// The sum.
    pub(super) fn total(&self) -> f64 {
        if self.nans > 0 || (self.positive > 0 && self.negative > 0) {
            f64::NAN
        } else if self.positive > 0 {
            f64::INFINITY
        } else if self.negative > 0 {
            f64::NEG_INFINITY
        } else {
            self.high + self.low
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_leaves_no_trace() {
        let mut sum = FloatSum::default();
        for (value, times) in [
            (0.1, 1),
            (1e9, 1),
            (f64::INFINITY, 1),
            (0.2, 2),
            (1e9, -1),
            (f64::INFINITY, -1),
            (0.2, -2),
        ] {
            sum.add(value, times);
        }
        assert_eq!(sum.total(), 0.1);
    }

    #[test]
    fn infinities_and_nan() {
        let mut sum = FloatSum::default();
        sum.add(f64::INFINITY, 1);
        assert_eq!(sum.total(), f64::INFINITY);
        sum.add(f64::NEG_INFINITY, 1);
        assert!(sum.total().is_nan());
        sum.add(f64::INFINITY, -1);
        assert_eq!(sum.total(), f64::NEG_INFINITY);
    }
}
