//! What a binding makes of an event.

use serde_json::Value;

use crate::manager::event::Event;

/// What stands for any JSON.
const DATA: &str = "{data}";

/// Whether `value` holds a text that stands for any JSON.
pub(super) fn holds_data(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(holds_data),
        Value::Object(map) => map.values().any(holds_data),
        Value::String(text) => text == DATA,
        _ => false,
    }
}

/// `text` with what `event` says in the place of its stand-ins; those of other events stay.
pub(super) fn filled_text(text: &str, event: &Event) -> String {
    match event {
        Event::Custom { data, .. } => match data {
            Value::String(data) => text.replace(DATA, data),
            data => text.replace(DATA, &data.to_string()),
        },
        Event::NodeJoined { node } => text.replace("{node}", node),
        Event::SplitPublished { split, .. } => text.replace("{split}", split.path().as_ref()),
        Event::SplitRetired { split } => text.replace("{split}", split.as_ref()),
        Event::TenantActive { tenant } => text.replace("{tenant}", tenant),
    }
}

/// `value` with what `event` says in its texts. Keys stay as they are.
pub(super) fn filled(value: &Value, event: &Event) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| filled(item, event)).collect(),
        Value::Object(map) => {
            let entries = map.iter();
            let entries = entries.map(|(key, value)| (key.clone(), filled(value, event)));
            Value::Object(entries.collect())
        }
        Value::String(text) => match event {
            Event::Custom { data, .. } if text == DATA => data.clone(),
            event => Value::String(filled_text(text, event)),
        },
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stand_ins_take_what_the_event_says() {
        let body = json!({"query": {"term": {"tenant": "{tenant}"}}, "size": 3});
        let event = Event::TenantActive {
            tenant: "acme".to_owned(),
        };
        let filled_body = filled(&body, &event);
        assert_eq!(
            filled_body,
            json!({"query": {"term": {"tenant": "acme"}}, "size": 3})
        );
        assert_eq!(filled_text("logs/{tenant}/", &event), "logs/acme/");
        let custom = Event::Custom {
            name: "page".to_owned(),
            data: json!(20),
        };
        let paged = json!({"size": "{data}", "query": {"match": {"body": "page {data}"}}});
        assert!(holds_data(&paged));
        assert_eq!(
            filled(&paged, &custom),
            json!({"size": 20, "query": {"match": {"body": "page 20"}}})
        );
    }
}
