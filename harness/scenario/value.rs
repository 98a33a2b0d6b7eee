//! The values that a key can have: how each is read from TOML, written back,
//! and described in the schema.

use super::suggest::{alternatives, nearest};
use halfway_case::errno::{self, errno_from_name, errno_name};
use halfway_case::limits;
use halfway_case::{
    Controller, Disk, During, Ending, Filesystem, Log, Meanwhile, NoPathRetry, OnError,
    PathGrouping, PathSelector, QueueMode, Sabotage, Sync, TargetName, Times, Vector,
};
use halfway_protocol::io::{Op, Path};
use halfway_scsi::FaultReport;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde::de::value::{Error as PlainError, StrDeserializer};
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer};
use toml::de::DeValue;

/// A value is not what its key takes.
pub(super) struct Mismatch {
    /// What was expected; completes "must be".
    pub(super) expected: String,
    /// What to do, if that can be guessed.
    pub(super) help: Option<String>,
}

/// A value of a scenario file.
pub(super) trait Value: Clone + PartialEq {
    /// Reads the value from TOML; an error if it is no such value.
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Mismatch>;
    /// Writes the value as TOML.
    fn to_toml(&self) -> toml::Value;
    /// Describes the values that are allowed, for the JSON Schema.
    fn schema(generator: &mut SchemaGenerator) -> Schema;

    /// Whether the value can be swept as a range of numbers.
    const RANGE: bool = false;
    /// The value for one point of a range.
    fn from_number(_number: u64) -> Option<Self> {
        None
    }

    /// The value as a word, as it stands in case ids and messages.
    fn word(&self) -> String {
        match self.to_toml() {
            toml::Value::String(word) => word,
            other => other.to_string(),
        }
    }
}

/// A mismatch without a guess, except for a number in quotes.
pub(super) fn mismatch(expected: impl Into<String>, value: &DeValue<'_>) -> Mismatch {
    let quoted = value
        .as_str()
        .filter(|text| text.parse::<u64>().is_ok() || text.parse::<bool>().is_ok());
    Mismatch {
        expected: expected.into(),
        help: quoted.map(|text| format!("write {text} without quotes")),
    }
}

/// A mismatch where a word was expected.
pub(super) fn unknown_word(expected: String, value: &DeValue<'_>, words: &[&str]) -> Mismatch {
    match value.as_str().and_then(|word| nearest(word, words)) {
        Some(word) => Mismatch {
            expected,
            help: Some(format!("did you mean `{word}`?")),
        },
        None => mismatch(expected, value),
    }
}

/// What was found instead, for a message.
pub(super) fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("`{text}`"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn integer(value: &DeValue<'_>) -> Option<i128> {
    let number = value.as_integer()?;
    i128::from_str_radix(number.as_str(), number.radix()).ok()
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn from_toml(value: &DeValue<'_>) -> Result<Self, Mismatch> {
                integer(value).and_then(|number| number.try_into().ok()).ok_or_else(|| {
                    match integer(value) {
                        Some(1..) => mismatch(format!("at most {}", <$type>::MAX), value),
                        _ => mismatch("a whole number, 0 or more", value),
                    }
                })
            }
            fn to_toml(&self) -> toml::Value {
                toml::Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
            }
            fn schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "integer", "minimum": 0 })
            }
            const RANGE: bool = true;
            fn from_number(number: u64) -> Option<Self> {
                number.try_into().ok()
            }
        }
    )*};
}

numbers!(u8, u32, u64);

impl Value for bool {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Mismatch> {
        value
            .as_bool()
            .ok_or_else(|| mismatch("`true` or `false`", value))
    }
    fn to_toml(&self) -> toml::Value {
        toml::Value::Boolean(*self)
    }
    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "boolean" })
    }
}

impl Value for String {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Mismatch> {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| mismatch("a text in quotes", value))
    }
    fn to_toml(&self) -> toml::Value {
        toml::Value::String(self.clone())
    }
    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// An enum whose values are words, named by serde.
pub(super) trait Word: Copy + PartialEq + Serialize + DeserializeOwned {
    /// Describes the words; with the variants' doc comments if the type has
    /// them.
    fn word_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": words::<Self>() })
    }
}

impl Word for Op {}
impl Word for Path {}

macro_rules! described_words {
    ($($type:ty),*) => {$(
        impl Word for $type {
            fn word_schema(generator: &mut SchemaGenerator) -> Schema {
                generator.subschema_for::<Self>()
            }
        }
    )*};
}

described_words!(
    Controller,
    Disk,
    During,
    Ending,
    Filesystem,
    Meanwhile,
    OnError,
    Log,
    Sync,
    Vector,
    Sabotage,
    TargetName,
    QueueMode,
    PathSelector,
    PathGrouping
);

impl<T: Word> Value for T {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Mismatch> {
        let known = value.as_str().and_then(|word| {
            let word: StrDeserializer<'_, PlainError> = word.into_deserializer();
            T::deserialize(word).ok()
        });
        known.ok_or_else(|| {
            let words = words::<T>();
            unknown_word(alternatives(words), value, words)
        })
    }
    fn to_toml(&self) -> toml::Value {
        toml::Value::try_from(self).unwrap_or_else(|_| toml::Value::String(String::new()))
    }
    fn schema(generator: &mut SchemaGenerator) -> Schema {
        T::word_schema(generator)
    }
}

/// All values of an enum of words.
pub(super) fn all<T: Word>() -> impl Iterator<Item = T> {
    words::<T>().iter().filter_map(|word| {
        let word: StrDeserializer<'_, PlainError> = word.into_deserializer();
        T::deserialize(word).ok()
    })
}

/// The words of an enum, as its derived `Deserialize` lists them.
fn words<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Ask<'a>(&'a mut &'static [&'static str]);
    impl<'de> serde::Deserializer<'de> for Ask<'_> {
        type Error = PlainError;
        fn deserialize_enum<V: serde::de::Visitor<'de>>(
            self,
            _: &'static str,
            variants: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, PlainError> {
            *self.0 = variants;
            Err(PlainError::custom("only asked"))
        }
        fn deserialize_any<V: serde::de::Visitor<'de>>(self, _: V) -> Result<V::Value, PlainError> {
            Err(PlainError::custom("not an enum"))
        }
        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
            bytes byte_buf option unit unit_struct newtype_struct seq tuple
            tuple_struct map struct identifier ignored_any
        }
    }
    let mut words: &[&str] = &[];
    let _ = T::deserialize(Ask(&mut words));
    words
}

/// Where in the I/O a fault lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offset {
    /// That many sectors from the start of the I/O.
    Sectors(u64),
    /// The first sector.
    First,
    /// The first sector of the second half.
    Middle,
    /// The last sector.
    Last,
}

/// Words for a single offset.
pub(super) const OFFSETS: [&str; 3] = ["first", "middle", "last"];

impl Offset {
    /// The offset in an I/O of that many sectors.
    pub(super) fn resolve(self, sectors: u64) -> u64 {
        match self {
            Offset::Sectors(at) => at,
            Offset::First => 0,
            Offset::Middle => sectors / 2,
            Offset::Last => sectors.saturating_sub(1),
        }
    }
}

impl Value for Offset {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Mismatch> {
        match value.as_str() {
            Some("first") => Ok(Offset::First),
            Some("middle") => Ok(Offset::Middle),
            Some("last") => Ok(Offset::Last),
            Some(_) => {
                let expected = format!("an offset in sectors, {}", alternatives(&OFFSETS));
                Err(unknown_word(expected, value, &OFFSETS))
            }
            None => u64::from_toml(value).map(Offset::Sectors),
        }
    }
    fn to_toml(&self) -> toml::Value {
        match self {
            Offset::Sectors(at) => at.to_toml(),
            Offset::First => "first".into(),
            Offset::Middle => "middle".into(),
            Offset::Last => "last".into(),
        }
    }
    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [u64::schema(generator), { "enum": OFFSETS }] })
    }
    const RANGE: bool = true;
    fn from_number(number: u64) -> Option<Self> {
        Some(Offset::Sectors(number))
    }
}

impl Value for Times {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Mismatch> {
        match value.as_str() {
            Some("always") => Ok(Times::Always),
            Some("once") => Ok(Times::Count(1)),
            Some(_) => {
                let expected = "`always`, `once` or a number".to_owned();
                Err(unknown_word(expected, value, &["always", "once"]))
            }
            None => match u32::from_toml(value)? {
                0 => Err(mismatch("at least 1", value)),
                count => Ok(Times::Count(count)),
            },
        }
    }
    fn to_toml(&self) -> toml::Value {
        match self {
            Times::Always => "always".into(),
            Times::Count(1) => "once".into(),
            Times::Count(count) => count.to_toml(),
        }
    }
    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "enum": ["always", "once"] },
            { "type": "integer", "minimum": 1 },
        ] })
    }
    const RANGE: bool = true;
    fn from_number(number: u64) -> Option<Self> {
        let count = u32::try_from(number).ok().filter(|count| *count > 0)?;
        Some(Times::Count(count))
    }
}

impl Value for NoPathRetry {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Mismatch> {
        match value.as_str() {
            Some("fail") => Ok(NoPathRetry::Fail),
            Some("queue") => Ok(NoPathRetry::Queue),
            Some(_) => {
                let expected = "`fail`, `queue` or a number of checks".to_owned();
                Err(unknown_word(expected, value, &["fail", "queue"]))
            }
            None => match u32::from_toml(value)? {
                checks if limits::CHECKS.contains(&checks) => Ok(NoPathRetry::Checks(checks)),
                _ => {
                    let (least, most) = (limits::CHECKS.start(), limits::CHECKS.end());
                    Err(mismatch(format!("{least} to {most} checks"), value))
                }
            },
        }
    }
    fn to_toml(&self) -> toml::Value {
        match self {
            NoPathRetry::Fail => "fail".into(),
            NoPathRetry::Queue => "queue".into(),
            NoPathRetry::Checks(checks) => checks.to_toml(),
        }
    }
    fn schema(_: &mut SchemaGenerator) -> Schema {
        let (least, most) = (limits::CHECKS.start(), limits::CHECKS.end());
        json_schema!({ "anyOf": [
            { "enum": ["fail", "queue"] },
            { "type": "integer", "minimum": least, "maximum": most },
        ] })
    }
    const RANGE: bool = true;
    fn from_number(number: u64) -> Option<Self> {
        let checks = u32::try_from(number).ok();
        let checks = checks.filter(|checks| limits::CHECKS.contains(checks))?;
        Some(NoPathRetry::Checks(checks))
    }
}

impl Value for FaultReport {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Mismatch> {
        let known = value.as_str().and_then(|word| word.parse().ok());
        known.ok_or_else(|| {
            let words = FaultReport::all_words();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            unknown_word("a report of the target".to_owned(), value, &words)
        })
    }
    fn to_toml(&self) -> toml::Value {
        self.to_string().into()
    }
    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": FaultReport::all_words() })
    }
}

/// The errno that a fault answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Errno(pub(super) i32);

impl Value for Errno {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Mismatch> {
        let known = match value.as_str() {
            Some(name) => errno_from_name(name),
            None => integer(value)
                .and_then(|number| i32::try_from(number).ok())
                .filter(|number| errno_name(*number).is_some()),
        };
        known.map(Errno).ok_or_else(|| {
            let names = errno::NAMES.map(|(name, _)| name);
            unknown_word(alternatives(&names), value, &names)
        })
    }
    fn to_toml(&self) -> toml::Value {
        match errno_name(self.0) {
            Some(name) => name.into(),
            None => i64::from(self.0).into(),
        }
    }
    fn schema(_: &mut SchemaGenerator) -> Schema {
        let names = errno::NAMES.map(|(name, _)| name);
        let numbers = errno::NAMES.map(|(_, number)| number);
        json_schema!({ "anyOf": [{ "enum": names }, { "enum": numbers }] })
    }
}
