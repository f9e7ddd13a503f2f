//! An exact sum of floats: the same in any order and on any number of workers, and what is removed leaves no trace.
//!
//! Every finite float is a whole multiple of 2⁻¹⁰⁷⁴, so a sum of floats is a whole number of that unit, of up to 2 140
//! bits. It is kept as numbers of 128 bits, *limbs*, each 2³² times as heavy as the one before: a float of 53 bits is
//! added to one limb, shifted by less than 32, and leaves 42 bits of room there. Only the limbs between the smallest and
//! the largest float that ever came are kept, which for most groups is one or two. Infinities and NaN, which cannot be
//! subtracted, are counted apart.
//!
//! The total is rounded once, to the nearest float, as Python's `math.fsum` does.

use smallvec::SmallVec;

/// The bits between one limb and the next.
const SPACING: u32 = 32;

/// The least bit of a float, as a power of two.
const LEAST: i32 = -1074;

/// Limbs are smaller than this, so that another number of that size can be added.
const FULL: u128 = 1 << 126;

/// A float is added at most so often at once: what is added then is less than [`FULL`].
const TIMES: i64 = 1 << 40;

/// How many there are of what is no finite number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Special {
    nans: i64,
    positive: i64,
    negative: i64,
}

impl Special {
    fn total(self) -> Option<f64> {
        if self.nans > 0 || (self.positive > 0 && self.negative > 0) {
            Some(f64::NAN)
        } else if self.positive > 0 {
            Some(f64::INFINITY)
        } else if self.negative > 0 {
            Some(f64::NEG_INFINITY)
        } else {
            None
        }
    }
}

/// A limb, as its two halves: a number of 128 bits would make the sum larger by its alignment.
type Limb = [u64; 2];

fn number(limb: Limb) -> i128 {
    (u128::from(limb[0]) | u128::from(limb[1]) << u64::BITS) as i128
}

fn limb(number: i128) -> Limb {
    [number as u64, (number >> u64::BITS) as u64]
}

/// A sum of floats, see the module.
#[derive(Clone, Debug, Default)]
pub(super) struct FloatSum {
    limbs: SmallVec<[Limb; 2]>,
    /// How heavy the first limb is: 2 to the power of so many times [`SPACING`].
    first: u8,
    special: Option<Box<Special>>,
}

impl FloatSum {
    /// Adds `value` `times` times, which may be negative.
    #[inline]
    pub(super) fn add(&mut self, value: f64, times: i64) {
        let bits = value.to_bits();
        let exponent = (bits >> 52) & 0x7ff;
        if exponent == 0x7ff {
            return self.add_special(value, times);
        }
        let fraction = bits & ((1 << 52) - 1);
        // A subnormal number has the exponent of the smallest normal one, without its leading bit.
        let (significand, position) = match exponent {
            0 => (fraction, 0),
            _ => (fraction | 1 << 52, exponent as u32 - 1),
        };
        if significand == 0 {
            return;
        }
        let shifted = i128::from(significand) << (position % SPACING);
        let signed = if value.is_sign_negative() { -shifted } else { shifted };
        let position = (position / SPACING) as u8;
        if times == 1 {
            return self.add_limb(position, signed);
        }
        let mut left = times;
        while left != 0 {
            let part = left.clamp(-TIMES, TIMES);
            self.add_limb(position, signed * i128::from(part));
            left -= part;
        }
    }

    /// Adds a whole number.
    pub(super) fn add_whole(&mut self, value: i128) {
        // In pieces that floats hold exactly.
        let mut rest = value.unsigned_abs();
        let mut weight = if value < 0 { -1.0 } else { 1.0 };
        while rest != 0 {
            self.add((rest & u128::from(u32::MAX)) as f64 * weight, 1);
            rest >>= u32::BITS;
            weight *= (1u64 << u32::BITS) as f64;
        }
    }

    #[cold]
    fn add_special(&mut self, value: f64, times: i64) {
        let special = self.special.get_or_insert_default();
        if value.is_nan() {
            special.nans += times;
        } else if value > 0.0 {
            special.positive += times;
        } else {
            special.negative += times;
        }
        if **special == Special::default() {
            self.special = None;
        }
    }

    #[inline]
    fn add_limb(&mut self, position: u8, value: i128) {
        let index = usize::from(position).wrapping_sub(usize::from(self.first));
        let Some(held) = self.limbs.get_mut(index) else {
            return self.add_outside(position, value);
        };
        let sum = number(*held) + value;
        *held = limb(sum);
        if sum.unsigned_abs() >= FULL {
            self.carry(position);
        }
    }

    /// Adds to a limb that is not kept yet.
    #[cold]
    fn add_outside(&mut self, position: u8, value: i128) {
        if self.limbs.is_empty() || self.limbs.iter().all(|limb| *limb == [0, 0]) {
            self.first = position;
            self.limbs.clear();
        } else if position < self.first {
            let more = usize::from(self.first - position);
            self.limbs.insert_many(0, std::iter::repeat_n([0, 0], more));
            self.first = position;
        }
        let index = usize::from(position - self.first);
        if index >= self.limbs.len() {
            self.limbs.resize(index + 1, [0, 0]);
        }
        self.add_limb(position, value);
    }

    /// Gives what a limb has beyond its weight to the next.
    #[cold]
    fn carry(&mut self, position: u8) {
        let held = &mut self.limbs[usize::from(position - self.first)];
        let full = number(*held);
        *held = limb(full & i128::from(u32::MAX));
        self.add_limb(position + 1, full >> SPACING);
    }

    /// The sum, rounded to the nearest float; infinite if it is too large for one.
    pub(super) fn total(&self) -> f64 {
        self.special
            .as_deref()
            .copied()
            .and_then(Special::total)
            .unwrap_or_else(|| self.rounded(0))
    }

    /// The sum divided by a number, which may be a float where the sum is none.
    pub(super) fn quotient(&self, divisor: f64) -> f64 {
        let total = self.total();
        let is_finite = self.special.is_none();
        if total.is_infinite() && is_finite {
            self.rounded(-64) / divisor * 2f64.powi(64)
        } else {
            total / divisor
        }
    }

    /// The finite part times 2 to the power of `scale`, rounded to the nearest float.
    fn rounded(&self, scale: i32) -> f64 {
        // Digits of 32 bits of the number's size, the lowest first.
        let (mut digits, mut carry) = (SmallVec::<[u32; 16]>::new(), 0i128);
        for held in &self.limbs {
            let sum = number(*held) + carry;
            digits.push(sum as u32);
            carry = sum >> SPACING;
        }
        // The rest, with the sign.
        for _ in 0..i128::BITS / SPACING {
            digits.push(carry as u32);
            carry >>= SPACING;
        }
        let is_negative = carry < 0;
        if is_negative {
            let mut one = true;
            for digit in &mut digits {
                let (negated, overflows) = (!*digit).overflowing_add(u32::from(one));
                (*digit, one) = (negated, overflows);
            }
        }
        let Some(top) = digits.iter().rposition(|digit| *digit != 0) else {
            return 0.0;
        };
        // The highest 64 bits, the last of which is set if anything follows.
        let digit = |below: usize| {
            top.checked_sub(below)
                .map_or(0, |position| u128::from(digits[position]))
        };
        let window = digit(0) << 64 | digit(1) << 32 | digit(2);
        let shift = 64 - window.leading_zeros() as i32;
        let mut high = (window >> shift) as u64;
        let lost = window & ((1 << shift) - 1);
        if lost != 0 || digits[..top.saturating_sub(2)].iter().any(|digit| *digit != 0) {
            high |= 1;
        }
        let position = i32::from(self.first) * SPACING as i32 + (top as i32 - 2) * SPACING as i32 + shift;
        scaled(high, is_negative, position + LEAST + scale)
    }

    /// The sum in columns: a float, and what a float cannot say in bytes.
    pub(super) fn parts(&self) -> (f64, Option<Vec<u8>>) {
        let total = self.total();
        let mut alone = FloatSum::default();
        alone.add(total, 1);
        if self.special.is_some() || alone.is_same(self) {
            // Nothing is ever taken off a sum that is told in columns, so all there is to say of infinities is said.
            return (total, None);
        }
        let mut bytes = vec![self.first];
        bytes.extend(self.limbs.iter().flatten().flat_map(|half| half.to_le_bytes()));
        (0.0, Some(bytes))
    }

    /// Adds what [`FloatSum::parts`] has told.
    pub(super) fn add_parts(&mut self, value: f64, bytes: Option<&[u8]>, times: i64) {
        self.add(value, times);
        let Some((first, rest)) = bytes.and_then(<[u8]>::split_first) else {
            return;
        };
        for (position, limb) in rest.as_chunks::<16>().0.iter().enumerate() {
            let value = i128::from_le_bytes(*limb) * i128::from(times);
            if value != 0 {
                self.add_limb(first + position as u8, value);
            }
        }
    }

    /// Whether it is zero and has no infinities, also none that are owed.
    pub(super) fn is_nothing(&self) -> bool {
        self.special.is_none() && self.rounded(0) == 0.0
    }

    /// All of it as bytes.
    pub(super) fn save(&self) -> Vec<u8> {
        let mut bytes = vec![self.first, u8::from(self.special.is_some())];
        if let Some(special) = &self.special {
            let counts = [special.nans, special.positive, special.negative];
            bytes.extend(counts.iter().flat_map(|count| count.to_le_bytes()));
        }
        bytes.extend(self.limbs.iter().flatten().flat_map(|half| half.to_le_bytes()));
        bytes
    }

    /// The sum of [`FloatSum::save`].
    pub(super) fn restore(bytes: &[u8]) -> Option<Self> {
        let ([first, has_special], mut rest) = bytes.split_first_chunk()?;
        let mut special = None;
        if *has_special != 0 {
            let (counts, limbs) = rest.split_first_chunk::<24>()?;
            let [nans, positive, negative] =
                [0, 1, 2].map(|position| i64::from_le_bytes(counts.as_chunks::<8>().0[position]));
            special = Some(Box::new(Special {
                nans,
                positive,
                negative,
            }));
            rest = limbs;
        }
        let (limbs, left) = rest.as_chunks::<16>();
        // The heaviest limb of a float, and room for what it carries.
        const MOST: usize = 80;
        let numbers = limbs.iter().map(|bytes| i128::from_le_bytes(*bytes));
        let is_full = numbers.clone().any(|number| number.unsigned_abs() >= FULL);
        if !left.is_empty() || is_full || usize::from(*first) + limbs.len() > MOST {
            return None;
        }
        Some(Self {
            limbs: numbers.map(limb).collect(),
            first: *first,
            special,
        })
    }

    /// Whether both are the same number.
    fn is_same(&self, other: &Self) -> bool {
        let mut difference = self.clone();
        for (position, held) in other.limbs.iter().enumerate() {
            let value = number(*held);
            if value != 0 {
                difference.add_limb(other.first + position as u8, -value);
            }
        }
        difference.rounded(0) == 0.0
    }
}

/// `size` times 2 to the power of `exponent`, rounded once.
fn scaled(size: u64, is_negative: bool, exponent: i32) -> f64 {
    // Where 64 bits are used, the result is far from the smallest floats, and so both steps after the first are exact.
    let float = size as f64;
    let half = exponent / 2;
    let scaled = float * power(half) * power(exponent - half);
    if is_negative { -scaled } else { scaled }
}

fn power(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(values: &[(f64, i64)]) -> FloatSum {
        let mut sum = FloatSum::default();
        for (value, times) in values {
            sum.add(*value, *times);
        }
        sum
    }

    #[test]
    fn what_is_removed_leaves_no_trace() {
        let values = [
            (0.1, 1),
            (1e9, 1),
            (f64::INFINITY, 1),
            (0.2, 2),
            (1e9, -1),
            (f64::INFINITY, -1),
            (0.2, -2),
        ];
        assert_eq!(sum(&values).total(), 0.1);
        assert_eq!(
            sum(&[(1e200, 1), (1e100, 1), (1.0, 1), (1e200, -1), (1e100, -1)]).total(),
            1.0
        );
        let huge = sum(&[(1e308, 2)]);
        assert_eq!((huge.total(), huge.quotient(2.0)), (f64::INFINITY, 1e308));
        assert_eq!(sum(&[(1e308, 2), (1e308, -1)]).total(), 1e308);
        assert_eq!(sum(&[(f64::NAN, 1), (f64::NAN, -1), (5e-324, 3)]).total(), 1.5e-323);
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

    #[test]
    fn rounding_is_that_of_a_single_addition() {
        // Ties go to the even neighbour; the least bit far below decides.
        assert_eq!(sum(&[(2f64.powi(53), 1), (1.0, 1)]).total(), 2f64.powi(53));
        assert_eq!(
            sum(&[(2f64.powi(53), 1), (1.0, 1), (1e-300, 1)]).total(),
            2f64.powi(53) + 2.0
        );
        assert_eq!(
            sum(&[(2f64.powi(53), -1), (1.0, -1), (1e-300, -1)]).total(),
            -(2f64.powi(53) + 2.0)
        );
        assert_eq!(sum(&[(f64::MAX, 1), (f64::MAX, 1)]).total(), f64::INFINITY);
        assert_eq!(
            sum(&[(f64::MIN_POSITIVE, 1), (5e-324, -1)]).total(),
            f64::MIN_POSITIVE - 5e-324
        );
    }

    #[test]
    fn a_full_limb_carries() {
        let mut sum = FloatSum::default();
        for _ in 0..20 {
            sum.add(2f64.powi(52) * 1.5, i64::MAX);
        }
        sum.add(2f64.powi(52) * 1.5, -i64::MAX);
        let expected = 19.0 * (2f64.powi(52) * 1.5) * 2f64.powi(63);
        assert!((sum.total() / expected - 1.0).abs() < 1e-15);
        for _ in 0..19 {
            sum.add(2f64.powi(52) * 1.5, -i64::MAX);
        }
        sum.add(0.25, 1);
        assert_eq!(sum.total(), 0.25);
    }

    #[test]
    fn whole_numbers_are_added_exactly() {
        let mut sum = FloatSum::default();
        sum.add_whole(i128::from(i64::MAX) * 1000);
        sum.add_whole(-i128::from(i64::MAX) * 1000 + 3);
        assert_eq!(sum.total(), 3.0);
    }

    fn float() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<f64>().prop_filter("finite", |value| value.is_finite()),
            -1e6..1e6f64,
            Just(0.0),
            Just(5e-324),
            Just(f64::MAX),
            Just(f64::MIN),
        ]
    }

    proptest! {
        #[test]
        fn any_order_and_any_parts_give_the_same(
            mut values in prop::collection::vec((float(), -3..4i64), 0..12),
            cut in 0..12usize,
        ) {
            let whole = sum(&values);
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut merged = FloatSum::default();
            for part in [sum(right), sum(left)] {
                let (value, bytes) = part.parts();
                merged.add_parts(value, bytes.as_deref(), 1);
            }
            prop_assert_eq!(merged.total().to_bits(), whole.total().to_bits());
            values.reverse();
            prop_assert_eq!(sum(&values).total().to_bits(), whole.total().to_bits());
        }

        #[test]
        fn a_sum_without_what_was_removed_is_one_that_never_had_it(
            kept in prop::collection::vec(float(), 0..6),
            removed in prop::collection::vec(float(), 0..6),
        ) {
            let mut all: Vec<(f64, i64)> = removed.iter().map(|value| (*value, 1)).collect();
            all.extend(kept.iter().map(|value| (*value, 1)));
            all.extend(removed.iter().map(|value| (*value, -1)));
            let kept: Vec<(f64, i64)> = kept.into_iter().map(|value| (value, 1)).collect();
            prop_assert_eq!(sum(&all).total().to_bits(), sum(&kept).total().to_bits());
        }

        #[test]
        fn two_are_summed_as_the_processor_does(a in float(), b in float()) {
            prop_assert_eq!(sum(&[(a, 1), (b, 1)]).total(), a + b);
            prop_assert_eq!(sum(&[(a, 1)]).total(), a);
        }
    }
}
