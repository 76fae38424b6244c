use std::borrow::Cow;

use serde_json::{Map, Value};

/// JSON of which the text is wanted, not its parts: objects are short lists, in the order of their
/// keys. Made for every request that is searched, where maps that hash would cost more than joining.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    /// Neither a list nor an object.
    Leaf(Value),
    List(Vec<Form>),
    Object(Vec<(Key, Form)>),
}

/// Of an object.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Key(Cow<'static, str>);

impl Form {
    pub(super) fn leaf(value: impl Into<Value>) -> Self {
        Self::Leaf(value.into())
    }

    pub(super) fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        Self::List(texts.into_iter().map(Self::leaf).collect())
    }

    pub(super) fn object(entries: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        let entries = entries.into_iter();
        let mut entries: Vec<_> = entries.map(|(key, form)| (Key(key.into()), form)).collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Self::Object(entries)
    }

    /// An object of one thing.
    pub(super) fn of(name: &'static str, body: Self) -> Self {
        Self::Object(vec![(Key(name.into()), body)])
    }

    /// An object of one thing that says no more.
    pub(super) fn bare(name: &'static str) -> Self {
        Self::of(name, Self::Object(Vec::new()))
    }

    /// What [`Value::to_string`] makes of the [same value](Self::to_value).
    pub(super) fn text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(256);
        self.write(&mut text);
        text
    }

    fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Leaf(value) => write_json(value, to),
            Self::List(list) => {
                to.push(b'[');
                for (at, form) in list.iter().enumerate() {
                    if at > 0 {
                        to.push(b',');
                    }
                    form.write(to);
                }
                to.push(b']');
            }
            Self::Object(entries) => {
                to.push(b'{');
                for (at, (key, form)) in entries.iter().enumerate() {
                    if at > 0 {
                        to.push(b',');
                    }
                    write_json(&key.0, to);
                    to.push(b':');
                    form.write(to);
                }
                to.push(b'}');
            }
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Leaf(value) => value.clone(),
            Self::List(list) => list.iter().map(Self::to_value).collect(),
            Self::Object(entries) => {
                let entries = entries.iter();
                let entries = entries.map(|(key, form)| (key.0.to_string(), form.to_value()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }
}

impl From<Value> for Form {
    fn from(value: Value) -> Self {
        match value {
            Value::Array(list) => Self::List(list.into_iter().map(Self::from).collect()),
            Value::Object(map) => {
                let entries = map.into_iter();
                let mut entries: Vec<_> = entries
                    .map(|(key, value)| (Key(key.into()), Self::from(value)))
                    .collect();
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                Self::Object(entries)
            }
            leaf => Self::Leaf(leaf),
        }
    }
}

fn write_json(value: &(impl serde::Serialize + ?Sized), to: &mut Vec<u8>) {
    // Neither a text nor a value has anything that cannot be written, nor does memory refuse it.
    let written = serde_json::to_writer(to, value);
    debug_assert!(written.is_ok());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_text_is_that_of_the_value_with_its_keys_in_order() {
        let mut value = json!({
            "z": [1, -2, 0.1, 1e300, u64::MAX, null, true, [], {}],
            "a\"b\u{7}": {"y": "\u{1F600} \\ \n", "x": {"q": 1, "p": [{"n": 1, "m": 2}]}},
        });
        let form = Form::from(value.clone());
        value.sort_all_objects();
        assert_eq!(form.text(), value.to_string().into_bytes());
        assert_eq!(form.to_value().to_string(), value.to_string());
        let built = Form::object([("b", Form::leaf(1)), ("a", Form::texts(["x", "y"]))]);
        assert_eq!(built.text(), br#"{"a":["x","y"],"b":1}"#);
        assert_eq!(Form::bare("match_all").text(), br#"{"match_all":{}}"#);
    }
}
