//! The shape of a serde type, for a comparison with the interface's definition.
//!
//! A deserializer that holds no data: it records what the type asks for and then fails. Each pass finds one more field.

use serde::{
    Deserializer,
    de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor, value::StrDeserializer},
};
use std::collections::BTreeMap;

/// The JSON that a type reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    Unknown,
    Bool,
    Int,
    Float,
    Text,
    /// A string of a closed list.
    Choice(&'static [&'static str]),
    Optional(Box<Shape>),
    Array(Box<Shape>),
    Map(Box<Shape>),
    /// The name of a struct in [`Shapes`].
    Object(&'static str),
}

/// The fields of every struct that was met, by the struct's name.
#[derive(Debug, Default)]
pub(super) struct Shapes(BTreeMap<&'static str, Vec<(&'static str, Shape)>>);

impl Shapes {
    /// The shape of `T`, with the structs inside it.
    pub(super) fn of<T: DeserializeOwned>() -> (Shape, Self) {
        let mut shapes = Self::default();
        for _ in 0..10_000 {
            let mut shape = Shape::Unknown;
            let _ = T::deserialize(Tracer { shapes: &mut shapes, shape: &mut shape });
            if shapes.is_complete(&shape) {
                return (shape, shapes);
            }
        }
        panic!("the shape of {} cannot be found: {shapes:?}", std::any::type_name::<T>());
    }

    pub(super) fn fields(&self, name: &str) -> &[(&'static str, Shape)] {
        &self.0[name]
    }

    fn is_complete(&self, shape: &Shape) -> bool {
        match shape {
            Shape::Unknown => false,
            Shape::Optional(inner) | Shape::Array(inner) | Shape::Map(inner) => self.is_complete(inner),
            Shape::Object(name) => self.next_field(name).is_none(),
            _ => true,
        }
    }

    /// The index of a field about which something is unknown.
    fn next_field(&self, name: &str) -> Option<usize> {
        self.0[name].iter().position(|(_, shape)| !self.is_complete(shape))
    }
}

/// The end of a pass.
#[derive(Debug)]
pub(super) struct Recorded;

impl std::fmt::Display for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("recorded")
    }
}

impl std::error::Error for Recorded {}

impl de::Error for Recorded {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}

struct Tracer<'a> {
    shapes: &'a mut Shapes,
    shape: &'a mut Shape,
}

impl Tracer<'_> {
    fn record<T>(self, shape: Shape) -> Result<T, Recorded> {
        *self.shape = shape;
        Err(Recorded)
    }
}

macro_rules! scalars {
    ($($method:ident => $shape:ident),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Recorded> {
            self.record(Shape::$shape)
        })*
    };
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Recorded;

    scalars! {
        deserialize_any => Unknown, deserialize_ignored_any => Unknown, deserialize_unit => Unknown,
        deserialize_bytes => Unknown, deserialize_byte_buf => Unknown,
        deserialize_bool => Bool,
        deserialize_i8 => Int, deserialize_i16 => Int, deserialize_i32 => Int, deserialize_i64 => Int,
        deserialize_u8 => Int, deserialize_u16 => Int, deserialize_u32 => Int, deserialize_u64 => Int,
        deserialize_f32 => Float, deserialize_f64 => Float,
        deserialize_char => Text, deserialize_str => Text, deserialize_string => Text, deserialize_identifier => Text,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Recorded> {
        let mut inner = Shape::Unknown;
        let result = visitor.visit_some(Tracer { shapes: self.shapes, shape: &mut inner });
        *self.shape = Shape::Optional(inner.into());
        result
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Recorded> {
        let mut inner = Shape::Unknown;
        let result = visitor.visit_seq(One { key: "", value: Tracer { shapes: self.shapes, shape: &mut inner } });
        *self.shape = Shape::Array(inner.into());
        result
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Recorded> {
        let mut inner = Shape::Unknown;
        let result = visitor.visit_map(One { key: "", value: Tracer { shapes: self.shapes, shape: &mut inner } });
        *self.shape = Shape::Map(inner.into());
        result
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Recorded> {
        *self.shape = Shape::Object(name);
        self.shapes.0.entry(name).or_insert_with(|| fields.iter().map(|field| (*field, Shape::Unknown)).collect());
        let Some(index) = self.shapes.next_field(name) else { return Err(Recorded) };
        let mut inner = Shape::Unknown;
        let value = Tracer { shapes: self.shapes, shape: &mut inner };
        let result = visitor.visit_map(One { key: fields[index], value });
        self.shapes.0.get_mut(name).unwrap()[index].1 = inner;
        result
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Recorded> {
        self.record(Shape::Choice(variants))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, _: V) -> Result<V::Value, Recorded> {
        self.record(Shape::Unknown)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Recorded> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Recorded> {
        self.record(Shape::Unknown)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, _: V) -> Result<V::Value, Recorded> {
        self.record(Shape::Unknown)
    }
}

/// A sequence or a map of one value.
struct One<'a> {
    key: &'static str,
    value: Tracer<'a>,
}

impl One<'_> {
    fn tracer(&mut self) -> Tracer<'_> {
        Tracer { shapes: self.value.shapes, shape: self.value.shape }
    }
}

impl<'de> SeqAccess<'de> for One<'_> {
    type Error = Recorded;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Recorded> {
        seed.deserialize(self.tracer()).map(Some)
    }
}

impl<'de> MapAccess<'de> for One<'_> {
    type Error = Recorded;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Recorded> {
        seed.deserialize(StrDeserializer::new(self.key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Recorded> {
        seed.deserialize(self.tracer())
    }
}
