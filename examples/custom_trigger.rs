//! A trigger of one's own: warms the queries of a saved dashboard whenever somebody opens it.
//!
//! ```sh
//! cargo run --release --example custom_trigger
//! ```

mod shop;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use forewarm::{
    Event, Manager, SearchOptions, SearchRequest, Trigger, TriggerContext, TriggerSettings, Wanted,
    Warmer,
};
use serde_json::json;
use tokio::sync::Notify;

/// Dashboards by name, and those that were opened and are not warm yet.
#[derive(Debug)]
struct Dashboards {
    panels: Vec<(&'static str, Arc<SearchRequest>)>,
    opened: Mutex<Vec<String>>,
    called: Notify,
}

#[async_trait]
impl Trigger for Dashboards {
    fn name(&self) -> &str {
        "dashboards"
    }

    fn settings(&self) -> TriggerSettings {
        TriggerSettings::default().with_gets_per_hour(Some(10_000))
    }

    /// Takes note, and no more: this runs on the thread that publishes.
    fn note(&self, event: &Event) {
        if let Event::Custom { name, data } = event
            && name == "dashboard_opened"
        {
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            opened.extend(data.as_str().map(str::to_owned));
            self.called.notify_one();
        }
    }

    async fn due(&self, _: &TriggerContext) {
        self.called.notified().await;
    }

    async fn wanted(&self, context: &TriggerContext) -> forewarm::Result<Vec<Wanted>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = std::mem::take(&mut *opened);
        let panels = self
            .panels
            .iter()
            .filter(|(name, _)| opened.iter().any(|it| it == name));
        let splits = context.splits();
        let wanted = panels.flat_map(|(_, request)| {
            let of_split =
                |split: &forewarm::SplitAddress| Wanted::new(split.clone(), request.clone());
            splits.iter().map(of_split).collect::<Vec<_>>()
        });
        Ok(wanted.collect())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (store, splits) = shop::open(4).await?;
    let panel = |body| SearchRequest::from_value(&body).map(Arc::new);
    let cheap = panel(json!({"query": {"range": {"price": {"lt": 50}}}, "size": 0}))?;
    let lamps = panel(json!({
        "query": {"match": {"name": "lamp"}}, "size": 0,
        "aggs": {"price": {"stats": {"field": "price"}}}
    }))?;
    let dashboards = Dashboards {
        panels: vec![("offers", cheap), ("lamps", Arc::clone(&lamps))],
        opened: Mutex::default(),
        called: Notify::new(),
    };
    let manager = Manager::builder(Warmer::builder(store).build()?)
        .trigger(dashboards)
        .build()?;
    manager.announce(splits.clone());
    manager.start();

    manager.publish(&Event::Custom {
        name: "dashboard_opened".to_owned(),
        data: json!("lamps"),
    });
    // Only here, to see it done: a service would go on.
    let trigger = manager.trigger("dashboards").ok_or("it was added")?;
    let status = trigger.warm_now(Duration::from_secs(10)).await?;
    println!(
        "warmed {} of {}, {} GETs",
        status.warmed, status.wanted, status.traffic.gets
    );
    let found = manager
        .search(&splits, &lamps, &SearchOptions::default())
        .await?;
    println!(
        "{} GETs while searching: {}",
        found.report.gets,
        json!(found.aggregations)
    );
    let used = trigger.status().usage;
    println!(
        "searches read {} of {} bytes",
        used.used_bytes, used.fetched_bytes
    );
    manager.shutdown(Duration::from_secs(5)).await;
    Ok(())
}
