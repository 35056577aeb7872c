//! What the log has of every event.

use super::line::Content;
use crate::event::{
    Kind,
    tests::{compare, samples},
};
use std::sync::{Arc, Mutex};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
    registry,
};

/// Keeps of every event what the journal gets beside the text.
struct Capture(Arc<Mutex<String>>);

impl<S: tracing::Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let content = Content::of(event);
        let id = content.kind().and_then(Kind::named).map(Kind::message_id).unwrap();
        let fields: Vec<String> = content.fields.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        assert!(!content.message.is_empty());
        let line = format!("{id} {} {}\n", event.metadata().level(), fields.join(" "));
        self.0.lock().unwrap().push_str(&line);
    }
}

#[test]
fn an_entry_has_the_message_id_the_level_and_the_fields_that_it_had() {
    let lines = Arc::new(Mutex::new(String::new()));
    tracing::subscriber::with_default(registry().with(Capture(Arc::clone(&lines))), || {
        samples(&mut |subject, event| event.log(subject));
    });
    compare("log", &lines.lock().unwrap());
}
