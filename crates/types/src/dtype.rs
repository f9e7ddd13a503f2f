//! Which values a column may hold.
//!
//! The types form a lattice with [`DType::Any`] on top; `int` is below `float`, and `T` is
//! below `T | None`. [`DType::least_upper_bound`] is its join.

use std::fmt;
use std::sync::Arc;

/// The type of a column, as the user declares it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// Only `None`.
    None,
    /// Anything at all.
    Any,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `float`
    Float,
    /// `str`
    Str,
    /// `bytes`
    Bytes,
    /// The key of a row; the types of the values it is made of, where known.
    Pointer(Option<Arc<[DType]>>),
    /// A date and time without a time zone.
    DateTimeNaive,
    /// A date and time in UTC.
    DateTimeUtc,
    /// A span of time.
    Duration,
    /// A JSON document.
    Json,
    /// A tuple with the types of its items.
    Tuple(Arc<[DType]>),
    /// A tuple or list of any length with the type of every item.
    List(Arc<DType>),
    /// A numpy array; the number of dimensions and the type of the elements, where known.
    Array(Option<usize>, Arc<DType>),
    /// A value of the type, or `None`.
    Optional(Arc<DType>),
    /// A Python object the engine only carries.
    Object,
    /// A Python callable.
    Callable,
    /// A value that is still being computed.
    Future(Arc<DType>),
}

/// How a column is laid out in memory; several types share the layout [`Physical::Any`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Physical {
    /// One bit a cell.
    Bool,
    /// 64-bit integers.
    Int,
    /// 64-bit floats.
    Float,
    /// Views of UTF-8 text.
    Str,
    /// Views of bytes.
    Bytes,
    /// 128-bit keys.
    Pointer,
    /// 64-bit nanoseconds.
    DateTimeNaive,
    /// 64-bit nanoseconds.
    DateTimeUtc,
    /// 64-bit nanoseconds.
    Duration,
    /// A [`crate::Value`] a cell.
    Any,
}

impl DType {
    /// The key of any row.
    pub const ANY_POINTER: DType = DType::Pointer(None);

    /// The key made of values of these types.
    pub fn pointer(values: impl IntoIterator<Item = DType>) -> DType {
        DType::Pointer(Some(values.into_iter().collect()))
    }

    /// `T | None`; nothing changes for types that include `None` already.
    pub fn optional(self) -> DType {
        match self {
            DType::None | DType::Any | DType::Optional(_) => self,
            // JSON has a null of its own, but a cell may also be empty.
            other => DType::Optional(Arc::new(other)),
        }
    }

    /// A tuple type.
    pub fn tuple(items: impl IntoIterator<Item = DType>) -> DType {
        DType::Tuple(items.into_iter().collect())
    }

    /// A list type.
    pub fn list(item: DType) -> DType {
        DType::List(Arc::new(item))
    }

    /// Whether `None` is among the values.
    pub fn is_optional(&self) -> bool {
        matches!(self, DType::None | DType::Any | DType::Optional(_))
    }

    /// The type without `None`.
    pub fn required(&self) -> &DType {
        match self {
            DType::Optional(inner) => inner,
            other => other,
        }
    }

    /// How a column of the type is laid out.
    pub fn physical(&self) -> Physical {
        match self.required() {
            DType::Bool => Physical::Bool,
            DType::Int => Physical::Int,
            DType::Float => Physical::Float,
            DType::Str => Physical::Str,
            DType::Bytes => Physical::Bytes,
            DType::Pointer(_) => Physical::Pointer,
            DType::DateTimeNaive => Physical::DateTimeNaive,
            DType::DateTimeUtc => Physical::DateTimeUtc,
            DType::Duration => Physical::Duration,
            DType::None
            | DType::Any
            | DType::Json
            | DType::Tuple(_)
            | DType::List(_)
            | DType::Array(..)
            | DType::Optional(_)
            | DType::Object
            | DType::Callable
            | DType::Future(_) => Physical::Any,
        }
    }

    /// The type of the items of an array of so many dimensions: of one dimension elements, of more arrays. Of an unknown
    /// number they may be either. An array without dimensions has no items.
    pub fn array_item(dimensions: Option<usize>, element: &Arc<DType>) -> Option<DType> {
        match dimensions {
            None => Some(DType::Any),
            Some(0) => None,
            Some(1) => Some((**element).clone()),
            Some(count) => Some(DType::Array(Some(count - 1), Arc::clone(element))),
        }
    }

    /// Whether every value of `self` is also a value of `other`, `int` counting as `float`.
    pub fn is_subtype_of(&self, other: &DType) -> bool {
        match (self, other) {
            (_, DType::Any) | (DType::Int, DType::Float) | (DType::None, DType::Optional(_)) => true,
            (DType::Optional(a), DType::Optional(b)) | (DType::List(a), DType::List(b)) => a.is_subtype_of(b),
            (a, DType::Optional(b)) => a.is_subtype_of(b),
            (DType::Pointer(_), DType::Pointer(None)) => true,
            (DType::Pointer(Some(a)), DType::Pointer(Some(b))) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b.iter())
                        .all(|(a, b)| a.is_subtype_of(b) && !a.is_widened_to(b))
            }
            (DType::Tuple(a), DType::Tuple(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.is_subtype_of(b))
            }
            (DType::Tuple(a), DType::List(b)) => a.iter().all(|a| a.is_subtype_of(b)),
            (DType::Array(n, a), DType::Array(m, b)) => (m.is_none() || n == m) && a.is_subtype_of(b),
            (DType::Future(a), DType::Future(b)) => a.is_subtype_of(b),
            (a, b) => a == b,
        }
    }

    /// Whether ints become floats: 1 and 1.0 make different keys.
    fn is_widened_to(&self, other: &DType) -> bool {
        matches!((self.required(), other.required()), (DType::Int, DType::Float))
    }

    /// The smallest type that holds the values of both, if it says more than that they are values.
    pub fn joined(&self, other: &DType) -> Option<DType> {
        match self.least_upper_bound(other) {
            DType::Any if self != &DType::Any && other != &DType::Any => None,
            joined => Some(joined),
        }
    }

    /// The smallest type that holds the values of both.
    pub fn least_upper_bound(&self, other: &DType) -> DType {
        if self.is_subtype_of(other) {
            return other.clone();
        }
        if other.is_subtype_of(self) {
            return self.clone();
        }
        if matches!(self, DType::None) || matches!(other, DType::None) {
            return if matches!(self, DType::None) { other } else { self }
                .clone()
                .optional();
        }
        if self.is_optional() || other.is_optional() {
            return match self.required().least_upper_bound(other.required()) {
                DType::Any => DType::Any,
                joined => joined.optional(),
            };
        }
        match (self, other) {
            (DType::Tuple(a), DType::Tuple(b)) if a.len() == b.len() => {
                DType::tuple(a.iter().zip(b.iter()).map(|(a, b)| a.least_upper_bound(b)))
            }
            (DType::Pointer(Some(a)), DType::Pointer(Some(b))) if a.len() == b.len() => {
                let joined = a.iter().zip(b.iter()).map(|(a, b)| {
                    let joined = a.joined(b)?;
                    (!a.is_widened_to(&joined) && !b.is_widened_to(&joined)).then_some(joined)
                });
                joined.collect::<Option<Vec<_>>>().map_or(DType::Any, DType::pointer)
            }
            (DType::Tuple(items), DType::List(item)) | (DType::List(item), DType::Tuple(items)) => DType::list(
                items
                    .iter()
                    .fold((**item).clone(), |joined, item| joined.least_upper_bound(item)),
            ),
            (DType::List(a), DType::List(b)) => DType::list(a.least_upper_bound(b)),
            (DType::Array(n, a), DType::Array(m, b)) => {
                DType::Array(if n == m { *n } else { None }, Arc::new(a.least_upper_bound(b)))
            }
            _ => DType::Any,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DType::None => f.write_str("None"),
            DType::Any => f.write_str("Any"),
            DType::Bool => f.write_str("bool"),
            DType::Int => f.write_str("int"),
            DType::Float => f.write_str("float"),
            DType::Str => f.write_str("str"),
            DType::Bytes => f.write_str("bytes"),
            DType::Pointer(None) => f.write_str("Pointer"),
            DType::Pointer(Some(items)) => write!(f, "Pointer[{}]", Listed(items)),
            DType::DateTimeNaive => f.write_str("DateTimeNaive"),
            DType::DateTimeUtc => f.write_str("DateTimeUtc"),
            DType::Duration => f.write_str("Duration"),
            DType::Json => f.write_str("Json"),
            DType::Tuple(items) => write!(f, "tuple[{}]", Listed(items)),
            DType::List(item) => write!(f, "list[{item}]"),
            DType::Array(_, item) if **item == DType::Any => f.write_str("ndarray"),
            DType::Array(_, item) => write!(f, "ndarray[{item}]"),
            DType::Optional(inner) => write!(f, "{inner} | None"),
            DType::Object => f.write_str("PyObjectWrapper"),
            DType::Callable => f.write_str("Callable"),
            DType::Future(inner) => write!(f, "Future[{inner}]"),
        }
    }
}

struct Listed<'a>(&'a [DType]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, item) in self.0.iter().enumerate() {
            write!(f, "{}{item}", if i > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_upper_bounds() {
        let check = |a: DType, b: DType, expected: &str| {
            assert_eq!(a.least_upper_bound(&b).to_string(), expected);
            assert_eq!(b.least_upper_bound(&a).to_string(), expected);
        };
        check(DType::Int, DType::Float, "float");
        check(DType::Int, DType::Int.optional(), "int | None");
        check(DType::None, DType::Str, "str | None");
        check(DType::Int.optional(), DType::Float, "float | None");
        check(DType::Int, DType::Str, "Any");
        check(
            DType::tuple([DType::Int, DType::Str]),
            DType::tuple([DType::Float, DType::None]),
            "tuple[float, str | None]",
        );
        check(
            DType::tuple([DType::Int, DType::Int]),
            DType::list(DType::Float),
            "list[float]",
        );
        let key = DType::pointer([DType::Int, DType::Str]);
        check(key.clone(), DType::ANY_POINTER, "Pointer");
        check(key.clone(), key.clone().optional(), "Pointer[int, str] | None");
        check(
            key.clone(),
            DType::pointer([DType::Int.optional(), DType::Str]),
            "Pointer[int | None, str]",
        );
        check(key.clone(), DType::pointer([DType::Int]), "Any");
        check(key.clone(), DType::pointer([DType::Float, DType::Str]), "Any");
        check(
            key.clone(),
            DType::pointer([DType::None, DType::Str]),
            "Pointer[int | None, str]",
        );
        check(key.clone(), DType::pointer([DType::Str, DType::Str]), "Any");
        check(
            key.clone(),
            DType::pointer([DType::Any, DType::Str]),
            "Pointer[Any, str]",
        );
        check(
            DType::pointer([key.clone()]),
            DType::pointer([DType::ANY_POINTER]),
            "Pointer[Pointer]",
        );
        assert!(key.is_subtype_of(&DType::pointer([DType::Int.optional(), DType::Any])));
        assert!(!key.is_subtype_of(&DType::pointer([DType::Float, DType::Str])));
        assert!(!DType::ANY_POINTER.is_subtype_of(&key));
    }
}
