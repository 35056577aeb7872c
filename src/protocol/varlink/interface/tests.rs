//! The types of the wire against the definitions of the interfaces.

use super::{
    super::{Call, CleanupParameters, Method, visit_calls},
    INTERFACES,
    shape::{Shape, Shapes},
};
use crate::protocol::measurements::{MeasurementsReply, Sample};
use serde::de::DeserializeOwned;
use zlink::idl::{CustomType, Interface, Type};

/// Is given the types of each method.
pub(in super::super) trait VisitCall {
    fn call<C: Call>(&mut self);
}

fn interface(name: &str) -> (Interface<'static>, &'static str) {
    let text = super::description(name).unwrap_or_else(|| panic!("no interface {name}"));
    (Interface::try_from(text).unwrap(), text)
}

/// The full names of the methods that the definitions have.
fn defined() -> Vec<String> {
    let of = |(name, text): &(&str, &'static str)| {
        let interface = Interface::try_from(*text).unwrap();
        assert_eq!(interface.name().to_string(), *name);
        interface.methods().map(|method| format!("{name}.{}", method.name())).collect::<Vec<_>>()
    };
    INTERFACES.iter().flat_map(of).collect()
}

#[test]
fn every_method_of_the_definitions_is_one_of_ours_and_the_other_way_round() {
    let mut ours: Vec<&str> = Method::ALL.iter().map(|method| method.name()).collect();
    let mut defined = defined();
    ours.sort_unstable();
    defined.sort_unstable();
    assert_eq!(defined, ours);
    assert!(Method::ALL.iter().all(|method| method.name().parse() == Ok(*method)));
}

/// Compares one object: field by field, names, types and optionality.
struct Comparison {
    interface: Interface<'static>,
    text: &'static str,
    shapes: Shapes,
    differences: Vec<String>,
}

impl Comparison {
    fn object<'a>(&mut self, path: &str, shape: &Shape, defined: impl Iterator<Item = (String, &'a Type<'a>)>) {
        let Shape::Object(name) = shape else {
            return self.differences.push(format!("{path}: an object in the definition, {shape:?} in the type"));
        };
        let fields = self.shapes.fields(name).to_vec();
        let mut unseen: Vec<&str> = fields.iter().map(|(field, _)| *field).collect();
        for (field, ty) in defined {
            unseen.retain(|name| *name != field);
            match fields.iter().find(|(name, _)| *name == field) {
                Some((_, shape)) => self.value(&format!("{path}.{field}"), shape, ty),
                None => self.differences.push(format!("{path}.{field}: not in the type")),
            }
        }
        self.differences.extend(unseen.iter().map(|field| format!("{path}.{field}: not in the definition")));
    }

    fn value(&mut self, path: &str, shape: &Shape, ty: &Type<'_>) {
        match (shape, ty) {
            (Shape::Optional(shape), Type::Optional(ty)) => self.value(path, shape, ty.inner()),
            // `absent_flags_are_false_and_absent_maps_empty`.
            (Shape::Bool | Shape::Map(_), Type::Optional(ty)) if !matches!(ty.inner(), Type::Optional(_)) => {
                self.value(path, shape, ty.inner());
            }
            (Shape::Array(shape), Type::Array(ty)) | (Shape::Map(shape), Type::Map(ty)) => {
                self.value(path, shape, ty.inner());
            }
            (Shape::Bool, Type::Bool)
            | (Shape::Int, Type::Int)
            | (Shape::Float, Type::Float)
            | (Shape::Text, Type::String) => {}
            // A closed list that the definition describes in words.
            (Shape::Choice(names), Type::String) => {
                let is_described = |name: &&&str| self.text.split(|c: char| !c.is_alphanumeric()).any(|w| w == **name);
                let missing: Vec<_> = names.iter().filter(|name| !is_described(name)).collect();
                if !missing.is_empty() {
                    self.differences.push(format!("{path}: the definition does not mention {missing:?}"));
                }
            }
            (Shape::Choice(names), Type::Enum(variants)) => {
                let defined: Vec<String> = variants.iter().map(|variant| variant.name().to_string()).collect();
                if defined != *names {
                    self.differences.push(format!("{path}: {defined:?} in the definition, {names:?} in the type"));
                }
            }
            (shape, Type::Custom(name)) => {
                let interface = self.interface.clone();
                let custom = interface.custom_types().find(|custom| custom.name() == name);
                match custom {
                    Some(CustomType::Object(object)) => {
                        self.object(path, shape, object.fields().map(|field| (field.name().to_string(), field.ty())));
                    }
                    _ => self.differences.push(format!("{path}: the definition has no object {name}")),
                }
            }
            _ => self.differences.push(format!("{path}: {ty} in the definition, {shape:?} in the type")),
        }
    }
}

/// The differences between definition and types, of every method.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn compare<'a, T: DeserializeOwned>(
        &mut self,
        method: Method,
        part: &str,
        defined: impl Iterator<Item = (String, &'a Type<'a>)>,
    ) {
        let (interface, text) = interface(method.name().rsplit_once('.').unwrap().0);
        let (shape, shapes) = Shapes::of::<T>();
        let mut comparison = Comparison { interface, text, shapes, differences: Vec::new() };
        comparison.object(&format!("{method:?} {part}"), &shape, defined);
        self.0.append(&mut comparison.differences);
    }
}

impl VisitCall for Differences {
    fn call<C: Call>(&mut self) {
        let (name, method) = C::METHOD.name().rsplit_once('.').unwrap();
        let (interface, _) = interface(name);
        let defined = interface.methods().find(|defined| defined.name() == method);
        let defined = defined.unwrap_or_else(|| panic!("{:?} is not in the definition of {name}", C::METHOD));
        let fields = |parameter: &'_ zlink::idl::Parameter<'_>| parameter.name().to_string();
        self.compare::<C::Parameters>(C::METHOD, "takes", defined.inputs().map(|one| (fields(one), one.ty())));
        self.compare::<C::Reply>(C::METHOD, "returns", defined.outputs().map(|one| (fields(one), one.ty())));
    }
}

#[test]
fn types_and_definitions_agree_field_by_field() {
    let mut differences = Differences::default();
    visit_calls(&mut differences);
    assert!(differences.0.is_empty(), "{:#?}", differences.0);
}

#[test]
fn a_field_that_differs_is_found() {
    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code, reason = "the fields are read through serde alone")]
    struct Stop {
        user: String,
        team: Option<Vec<u32>>,
    }
    let (interface, _) = interface("io.podspawn.Sessions");
    let stop = interface.methods().find(|method| method.name() == "Stop").unwrap();
    let mut differences = Differences::default();
    let inputs = stop.inputs().map(|one| (one.name().to_string(), one.ty()));
    differences.compare::<Stop>(Method::Stop, "takes", inputs);
    assert_eq!(
        differences.0,
        [
            "Stop takes.user: ?string in the definition, Text in the type",
            "Stop takes.project: not in the type",
            "Stop takes.team: not in the definition",
        ]
    );
}

#[test]
fn absent_flags_are_false_and_absent_maps_empty() {
    let cleanup: CleanupParameters = serde_json::from_str("{}").unwrap();
    let measurements: MeasurementsReply = serde_json::from_str(r#"{"families": []}"#).unwrap();
    assert!(!cleanup.dry_run && !measurements.resting);
    assert_eq!(serde_json::from_str::<Sample>("{}").unwrap(), Sample::default());
}
